// The consumer's own thread: fetching, commands, commits, the end. Rebalances are in consumer_rebalance.cc.
#include <algorithm>
#include <cstring>

#include "consumer.h"

namespace headrace {

namespace {

constexpr auto kIdle = std::chrono::milliseconds(100);
// Without being asked, it fetches ahead for this long only, so that librdkafka's max.poll.interval.ms notices a task that hangs.
constexpr auto kAhead = std::chrono::seconds(1);
constexpr auto kSeekPatience = std::chrono::seconds(10);
constexpr auto kSeekPause = std::chrono::milliseconds(20);
constexpr int kLookUpMs = 1000;
constexpr size_t kFetch = 1024;

}  // namespace

void Consumer::OnQueueEvent(rd_kafka_t*, void* self) { static_cast<Consumer*>(self)->bell_.Ring(); }

void Consumer::OnError(rd_kafka_t* rk, int error, const char* reason, void* self) {
  auto* consumer = static_cast<Consumer*>(self);
  const auto code = static_cast<rd_kafka_resp_err_t>(error);
  if (code != RD_KAFKA_RESP_ERR__FATAL) {
    consumer->PushError({code, false, reason != nullptr ? reason : rd_kafka_err2str(code)});
    return;
  }
  char text[512];
  const rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(rk, text, sizeof text);
  consumer->PushError({fatal, true, text});
}

void Consumer::Run() {
  while (!forced_) {
    ServeCommits();
    ApplyAnswer();
    ServeCommands();
    AppendCarried();
    if (closing_ && !close_started_) StartClose();
    if (!announced_.empty()) ServeRebalance();
    if (MayFetch() && Fetch()) continue;
    if (close_started_ && rd_kafka_consumer_closed(rk_)) break;
    bell_.Wait(kIdle);
  }
  ServeCommits();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (rd_kafka_message_t* message : carried_) rd_kafka_message_destroy(message);
    carried_.clear();
  }
  rd_kafka_queue_cb_event_enable(queue_, nullptr, nullptr);
  rd_kafka_queue_cb_event_enable(commits_, nullptr, nullptr);
  {
    std::lock_guard<std::mutex> gate(gate_);
    rd_kafka_queue_destroy(queue_);
    rd_kafka_queue_destroy(commits_);
    queue_ = nullptr;
    commits_ = nullptr;
  }
  Destroy(forced_ ? RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE : 0);
}

bool Consumer::MayFetch() {
  if (!announced_.empty()) return false;
  std::lock_guard<std::mutex> lock(mutex_);
  if (standing_) return false;
  if (close_started_) return true;
  if (IsFull() || !carried_.empty()) return false;
  return waiting_ || Clock::now() - asked_ < kAhead;
}

// Takes what is there, without waiting. Callbacks of rebalances and errors come from in here.
bool Consumer::Fetch() {
  size_t room = kFetch;
  if (!close_started_) {
    std::lock_guard<std::mutex> lock(mutex_);
    const size_t bytes = limits_.max_bytes - std::min(limits_.max_bytes, filling_->used());
    room = std::min({kFetch, limits_.max_records - filling_->count(), bytes / average_bytes_ + 1});
  }
  fetched_.resize(room);
  const ssize_t count = rd_kafka_consume_batch_queue(queue_, 0, fetched_.data(), room);
  if (count <= 0) return !announced_.empty();
  size_t bytes = 0;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (ssize_t i = 0; i < count; i++) {
      bytes += fetched_[static_cast<size_t>(i)]->len + fetched_[static_cast<size_t>(i)]->key_len;
      Keep(fetched_[static_cast<size_t>(i)]);
    }
    if (filling_->count() > 0) Tell();
  }
  average_bytes_ = (average_bytes_ + bytes / static_cast<size_t>(count)) / 2 + 1;
  return true;
}

// mutex_ is held. Takes the message over.
void Consumer::Keep(rd_kafka_message_t* message) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* text = rd_kafka_message_errstr(message);
    ClientError error = {message->err, false, text != nullptr ? text : ""};
    if (message->rkt != nullptr) {
      error.message += std::string(" (") + rd_kafka_topic_name(message->rkt) + "-" + std::to_string(message->partition) + ")";
    }
    if (errors_.size() < kMaxErrors) errors_.push_back(std::move(error));
    Tell();
  } else if (!close_started_) {
    if (IsFull()) {
      carried_.push_back(message);
      return;
    }
    Append(message);
  }
  rd_kafka_message_destroy(message);
}

void Consumer::AppendCarried() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (carried_.empty()) return;
  while (!carried_.empty() && (close_started_ || !IsFull())) {
    if (!close_started_) Append(carried_.front());
    rd_kafka_message_destroy(carried_.front());
    carried_.pop_front();
  }
  if (filling_->count() > 0 || (standing_ && !shown_)) Tell();
}

// mutex_ is held.
void Consumer::Append(const rd_kafka_message_t* message) {
  const char* topic_name = rd_kafka_topic_name(message->rkt);
  const uint32_t topic = TopicIndex(topic_name);
  if (DropIfBlocked(PartitionKey(topic, message->partition), message->offset)) return;
  rd_kafka_timestamp_type_t type;
  const int64_t timestamp = rd_kafka_message_timestamp(message, &type);
  filling_->Append({topic, message->partition, message->offset,
                    type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1.0 : static_cast<double>(timestamp), message->key,
                    message->key_len, message->payload, message->len});
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR || headers == nullptr) return;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t length = 0;
  for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &length) == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
    if (i == 0) filling_->StartHeaders();
    filling_->AddHeader(name, value, length);
  }
}

void Consumer::ServeCommands() {
  for (;;) {
    Command command;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (commands_.empty()) return;
      command = commands_.front();
      if (standing_ && current_.assigned) {
        // Its partition may only be starting: then it waits for the acknowledgement.
        for (const Position& position : current_.partitions) {
          if (position.topic == command.position.topic && position.partition == command.position.partition) return;
        }
      }
      commands_.pop_front();
    }
    RunCommand(command);
  }
}

void Consumer::RunCommand(const Command& command) {
  const Position& position = command.position;
  const PartitionList list = ToList({position});
  uint64_t key;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    key = PartitionKey(TopicIndex(position.topic), position.partition);
  }
  int64_t offset = 0;
  ClientError error;
  switch (command.kind) {
    case Command::Kind::kPause:
      rd_kafka_pause_partitions(rk_, list.get());
      if (TakeDropped(position, &offset)) SeekTo({position.topic, position.partition, offset});
      return;
    case Command::Kind::kResume:
      if (TakeDropped(position, &offset)) SeekTo({position.topic, position.partition, offset});
      rd_kafka_resume_partitions(rk_, list.get());
      break;
    case Command::Kind::kSeek:
      error = ToError(SeekTo(position));
      if (TakeDropped(position, &offset) && error.code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        SeekTo({position.topic, position.partition, offset});
      }
      break;
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    Unblock(key);
    if (command.kind != Command::Kind::kSeek) return;
    answers_.push_back({command.id, error});
  }
  wake_.Ring();
}

// The first record that was dropped of a blocked partition since the last time, carried ones included.
bool Consumer::TakeDropped(const Position& position, int64_t* offset) {
  std::lock_guard<std::mutex> lock(mutex_);
  const uint64_t key = PartitionKey(TopicIndex(position.topic), position.partition);
  std::deque<rd_kafka_message_t*> carried;
  for (rd_kafka_message_t* message : carried_) {
    const uint64_t other = PartitionKey(TopicIndex(rd_kafka_topic_name(message->rkt)), message->partition);
    if (other == key && DropIfBlocked(other, message->offset)) {
      rd_kafka_message_destroy(message);
    } else {
      carried.push_back(message);
    }
  }
  carried_ = std::move(carried);
  const auto place = dropped_.find(key);
  if (place == dropped_.end()) return false;
  *offset = place->second;
  dropped_.erase(place);
  return true;
}

rd_kafka_resp_err_t Consumer::SeekTo(const Position& position) {
  const auto deadline = Clock::now() + kSeekPatience;
  for (;;) {
    const PartitionList list = ToList({position});
    const ClientError error = TakeError(rd_kafka_seek_partitions(rk_, list.get(), kLookUpMs));
    const rd_kafka_resp_err_t code = error.code != RD_KAFKA_RESP_ERR_NO_ERROR ? error.code : FirstError(list.get());
    // A partition that was just assigned is not being fetched yet.
    const bool soon = code == RD_KAFKA_RESP_ERR__STATE || code == RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS;
    if (!soon || closing_ || Clock::now() > deadline) return code;
    bell_.Wait(kSeekPause);
  }
}

void Consumer::ServeCommits() {
  bool served = false;
  while (rd_kafka_event_t* event = rd_kafka_queue_poll(commits_, 0)) {
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_OFFSET_COMMIT) {
      rd_kafka_resp_err_t code = rd_kafka_event_error(event);
      if (code == RD_KAFKA_RESP_ERR_NO_ERROR) code = FirstError(rd_kafka_event_topic_partition_list(event));
      const auto id = static_cast<double>(reinterpret_cast<uintptr_t>(rd_kafka_event_opaque(event)));
      std::lock_guard<std::mutex> lock(mutex_);
      answers_.push_back({id, ToError(code)});
      served = true;
    }
    rd_kafka_event_destroy(event);
  }
  if (served) wake_.Ring();
}

void Consumer::StartClose() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (standing_) return;  // First the answer, which close has given or JavaScript gives.
    close_started_ = true;
  }
  AppendCarried();
  const ClientError error = TakeError(rd_kafka_consumer_close_queue(rk_, queue_));
  if (error.code != RD_KAFKA_RESP_ERR_NO_ERROR) Log(4, "close: " + error.message);
}

}  // namespace headrace
