// The consumer as JavaScript's thread uses it. Its own thread is in consumer_thread.cc.
#include "consumer.h"

#include <algorithm>

namespace headrace {

Consumer::Consumer(const ConsumerLimits& limits)
    : limits_(limits),
      filling_(std::make_unique<Slab>(limits.max_records)),
      lent_(std::make_unique<Slab>(limits.max_records)) {}

void Consumer::Open(rd_kafka_conf_t* conf, const std::vector<std::string>& subscription) {
  Configure(conf);
  rd_kafka_conf_set_rebalance_cb(conf, OnRebalance);
  rd_kafka_conf_set_error_cb(conf, OnError);
  char error[512];
  rk_ = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
  if (rk_ == nullptr) {
    rd_kafka_conf_destroy(conf);
    throw JsError{"ERR_CONFIG", error};
  }
  rd_kafka_poll_set_consumer(rk_);
  std::vector<Position> topics;
  for (const std::string& topic : subscription) topics.push_back({topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_OFFSET_INVALID});
  const rd_kafka_resp_err_t code = rd_kafka_subscribe(rk_, ToList(topics).get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    rd_kafka_destroy_flags(rk_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    rk_ = nullptr;
    throw JsError{"ERR_CONFIG", std::string("cannot subscribe: ") + rd_kafka_err2str(code)};
  }
  queue_ = rd_kafka_queue_get_consumer(rk_);
  commits_ = rd_kafka_queue_new(rk_);
  rd_kafka_queue_cb_event_enable(queue_, OnQueueEvent, this);
  rd_kafka_queue_cb_event_enable(commits_, OnQueueEvent, this);
}

Consumer::Next Consumer::Take() {
  Next next = Next::kNothing;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    asked_ = Clock::now();
    if (filling_->count() > 0) {
      std::swap(filling_, lent_);
      filling_->Clear(limits_.max_bytes);
      next = Next::kBatch;
    } else if (standing_ && !shown_ && carried_.empty()) {
      shown_ = true;
      next = Next::kRebalance;
    } else if (!errors_.empty()) {
      taken_error_ = errors_.front();
      errors_.pop_front();
      next = Next::kError;
    }
    waiting_ = next == Next::kNothing;
  }
  bell_.Ring();
  return next;
}

void Consumer::Rest() {
  std::lock_guard<std::mutex> lock(mutex_);
  waiting_ = false;
  asked_ = Clock::now();
}

Rebalance Consumer::rebalance() {
  std::lock_guard<std::mutex> lock(mutex_);
  return current_;
}

std::vector<std::string> Consumer::TakeTopics() {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string> added(topics_.begin() + static_cast<std::ptrdiff_t>(topics_taken_), topics_.end());
  topics_taken_ = topics_.size();
  return added;
}

void Consumer::Acknowledge(const std::vector<Position>& positions) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!standing_ || !shown_ || answered_) throw JsError{"ERR_STATE", "there is nothing to acknowledge"};
    for (const Position& position : positions) {
      const auto same = [&position](const Position& other) {
        return other.topic == position.topic && other.partition == position.partition;
      };
      const auto place = std::find_if(current_.partitions.begin(), current_.partitions.end(), same);
      if (!current_.assigned || place == current_.partitions.end()) {
        throw JsError{"ERR_INVALID_ARG_VALUE", "a position for a partition that was not assigned"};
      }
      place->offset = position.offset;
    }
    answered_ = true;
  }
  bell_.Ring();
}

void Consumer::Commit(double id, const std::vector<Position>& positions) {
  rd_kafka_resp_err_t code;
  {
    std::lock_guard<std::mutex> gate(gate_);
    if (rk_ == nullptr) throw JsError{"ERR_CLOSED", "the consumer is closed"};
    const auto opaque = reinterpret_cast<void*>(static_cast<uintptr_t>(id));
    code = rd_kafka_commit_queue(rk_, ToList(positions).get(), commits_, nullptr, opaque);
  }
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    answers_.push_back({id, ToError(code)});
  }
  wake_.Ring();
}

void Consumer::Seek(double id, const Position& position) {
  bool answered = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (standing_ && shown_ && !answered_ && current_.assigned) {
      // Its consumption begins with the acknowledgement; there is nothing to drop yet.
      for (Position& assigned : current_.partitions) {
        if (assigned.topic != position.topic || assigned.partition != position.partition) continue;
        assigned.offset = position.offset;
        answered = true;
      }
    }
    if (answered) {
      answers_.push_back({id, {}});
    } else {
      Block(PartitionKey(TopicIndex(position.topic), position.partition));
      commands_.push_back({Command::Kind::kSeek, id, position});
    }
  }
  if (answered) {
    wake_.Ring();
  } else {
    bell_.Ring();
  }
}

void Consumer::Pause(const std::vector<Position>& partitions, bool pause) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const Position& position : partitions) {
      const uint64_t key = PartitionKey(TopicIndex(position.topic), position.partition);
      if (pause && paused_.insert(key).second) {
        Block(key);
        commands_.push_back({Command::Kind::kPause, 0, position});
      } else if (!pause && paused_.erase(key) > 0) {
        commands_.push_back({Command::Kind::kResume, 0, position});
      }
    }
  }
  bell_.Ring();
}

std::vector<Answer> Consumer::TakeAnswers() {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::move(answers_);
}

std::string Consumer::MemberId() {
  std::lock_guard<std::mutex> lock(mutex_);
  return member_id_;
}

void Consumer::Close(bool force, bool deliver) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    deliver_ = deliver;
    closing_ = true;
    if (force) forced_ = true;
    if (standing_ && !deliver) answered_ = true;
  }
  bell_.Ring();
}

void Consumer::Abort() { Close(true, false); }

void Consumer::Release(napi_env env) {
  filling_->ReleaseBuffers(env);
  lent_->ReleaseBuffers(env);
}

// ---- Shared, mutex_ held ----

uint32_t Consumer::TopicIndex(const std::string& name) {
  const auto [place, added] = topic_index_.try_emplace(name, static_cast<uint32_t>(topics_.size()));
  if (added) topics_.push_back(name);
  return place->second;
}

// From now on no record of it is delivered: those that are ready are dropped, and those that come.
void Consumer::Block(uint64_t key) {
  blocked_[key]++;
  filling_->Drop([this](uint64_t partition, int64_t offset) { return DropIfBlocked(partition, offset); });
}

bool Consumer::DropIfBlocked(uint64_t key, int64_t offset) {
  if (blocked_.empty() || blocked_.find(key) == blocked_.end()) return false;
  const auto [place, first] = dropped_.try_emplace(key, offset);
  if (!first) place->second = std::min(place->second, offset);
  return true;
}

void Consumer::Unblock(uint64_t key) {
  const auto place = blocked_.find(key);
  if (place != blocked_.end() && --place->second <= 0) blocked_.erase(place);
}

bool Consumer::IsFull() const { return filling_->count() >= limits_.max_records || filling_->used() >= limits_.max_bytes; }

void Consumer::Tell() {
  if (!waiting_) return;
  waiting_ = false;
  wake_.Ring();
}

void Consumer::PushError(const ClientError& error) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (errors_.size() == kMaxErrors) errors_.pop_front();
  errors_.push_back(error);
  Tell();
}

}  // namespace headrace
