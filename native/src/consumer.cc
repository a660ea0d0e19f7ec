#include "consumer.h"

#include <algorithm>
#include <cstring>

namespace headrace {

namespace {

constexpr auto kIdle = std::chrono::milliseconds(100);
// Without being asked, it fetches ahead for this long only, so that librdkafka's max.poll.interval.ms notices a task that hangs.
constexpr auto kAhead = std::chrono::seconds(1);
constexpr auto kSeekPatience = std::chrono::seconds(10);
constexpr auto kSeekPause = std::chrono::milliseconds(20);
constexpr int kLookUpMs = 1000;
constexpr size_t kFetch = 1024;
constexpr size_t kMaxErrors = 64;

struct ListDeleter {
  void operator()(rd_kafka_topic_partition_list_t* list) const { rd_kafka_topic_partition_list_destroy(list); }
};
using List = std::unique_ptr<rd_kafka_topic_partition_list_t, ListDeleter>;

List ToList(const std::vector<Position>& positions) {
  List list(rd_kafka_topic_partition_list_new(static_cast<int>(std::max<size_t>(positions.size(), 1))));
  for (const Position& position : positions) {
    rd_kafka_topic_partition_list_add(list.get(), position.topic.c_str(), position.partition)->offset = position.offset;
  }
  return list;
}

std::vector<Position> ToPositions(const rd_kafka_topic_partition_list_t* list) {
  std::vector<Position> positions;
  for (int i = 0; list != nullptr && i < list->cnt; i++) {
    positions.push_back({list->elems[i].topic, list->elems[i].partition, list->elems[i].offset});
  }
  return positions;
}

rd_kafka_resp_err_t FirstError(const rd_kafka_topic_partition_list_t* list) {
  for (int i = 0; list != nullptr && i < list->cnt; i++) {
    if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) return list->elems[i].err;
  }
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

// Frees `error`, if there is one.
ClientError Take(rd_kafka_error_t* error) {
  if (error == nullptr) return {};
  ClientError taken = {rd_kafka_error_code(error), rd_kafka_error_is_fatal(error) != 0, rd_kafka_error_string(error)};
  rd_kafka_error_destroy(error);
  return taken;
}

ClientError ToError(rd_kafka_resp_err_t code) {
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return {code, false, rd_kafka_err2str(code)};
}

// A coordinator that is away or busy comes back.
bool Passes(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
      return true;
    default:
      return false;
  }
}

}  // namespace

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

// ---- JavaScript's thread ----

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

// ---- librdkafka's callbacks ----

void Consumer::OnQueueEvent(rd_kafka_t*, void* self) { static_cast<Consumer*>(self)->bell_.Ring(); }

void Consumer::OnRebalance(rd_kafka_t* rk, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* list, void* self) {
  auto* consumer = static_cast<Consumer*>(self);
  const char* protocol = rd_kafka_rebalance_protocol(rk);
  Rebalance rebalance;
  rebalance.assigned = error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
  rebalance.incremental = protocol != nullptr && strcmp(protocol, "COOPERATIVE") == 0;
  rebalance.lost = !rebalance.assigned && rd_kafka_assignment_lost(rk) != 0;
  rebalance.partitions = ToPositions(list);
  char* member_id = rd_kafka_memberid(rk);
  {
    std::lock_guard<std::mutex> lock(consumer->mutex_);
    consumer->member_id_ = member_id != nullptr ? member_id : "";
  }
  if (member_id != nullptr) rd_kafka_mem_free(rk, member_id);
  if (!rebalance.assigned && error != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) consumer->PushError(ToError(error));
  consumer->announced_.push_back(std::move(rebalance));
}

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

// ---- The thread ----

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

void Consumer::ServeRebalance() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (standing_) return;
  }
  Rebalance rebalance = std::move(announced_.front());
  announced_.pop_front();
  if (rebalance.assigned) LookUpCommitted(rebalance);
  Forget(rebalance.partitions);
  if (rebalance.assigned) EndPauses(rebalance.partitions);  // Of partitions that were not its own.
  {
    std::lock_guard<std::mutex> lock(mutex_);
    current_ = std::move(rebalance);
    standing_ = true;
    shown_ = false;
    answered_ = closing_ && !deliver_;
    Tell();
  }
  if (closing_) bell_.Ring();
}

void Consumer::LookUpCommitted(Rebalance& rebalance) {
  if (rebalance.partitions.empty()) return;
  const List list = ToList(rebalance.partitions);
  while (!closing_) {
    rd_kafka_resp_err_t code = rd_kafka_committed(rk_, list.get(), kLookUpMs);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) code = FirstError(list.get());
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) break;
    if (!Passes(code)) {
      PushError(ToError(code));
      break;
    }
    bell_.Wait(kIdle);
  }
  rebalance.partitions = ToPositions(list.get());
  for (Position& position : rebalance.partitions) {
    if (position.offset < 0) position.offset = RD_KAFKA_OFFSET_INVALID;
  }
}

// What is known of them is void: records that are ready, commands under way.
void Consumer::Forget(const std::vector<Position>& partitions) {
  bool answered = false;
  std::unique_lock<std::mutex> lock(mutex_);
  std::unordered_set<uint64_t> keys;
  for (const Position& position : partitions) keys.insert(PartitionKey(TopicIndex(position.topic), position.partition));
  const auto gone = [&keys](uint64_t key) { return keys.count(key) > 0; };
  filling_->Drop([&gone](uint64_t key, int64_t) { return gone(key); });
  std::deque<rd_kafka_message_t*> carried;
  for (rd_kafka_message_t* message : carried_) {
    if (gone(PartitionKey(TopicIndex(rd_kafka_topic_name(message->rkt)), message->partition))) {
      rd_kafka_message_destroy(message);
    } else {
      carried.push_back(message);
    }
  }
  carried_ = std::move(carried);
  std::deque<Command> commands;
  for (const Command& command : commands_) {
    if (!gone(PartitionKey(TopicIndex(command.position.topic), command.position.partition))) {
      commands.push_back(command);
    } else if (command.kind == Command::Kind::kSeek) {
      answers_.push_back({command.id, ToError(RD_KAFKA_RESP_ERR__STATE)});
      answered = true;
    }
  }
  commands_ = std::move(commands);
  for (const uint64_t key : keys) {
    blocked_.erase(key);
    dropped_.erase(key);
  }
  lock.unlock();
  if (answered) wake_.Ring();
}

// A pause ends with the assignment, as in Kafka's own client; librdkafka would keep it.
void Consumer::EndPauses(const std::vector<Position>& partitions) {
  std::vector<Position> paused;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const Position& position : partitions) {
      if (paused_.erase(PartitionKey(TopicIndex(position.topic), position.partition)) > 0) paused.push_back(position);
    }
  }
  if (!paused.empty()) rd_kafka_resume_partitions(rk_, ToList(paused).get());
}

void Consumer::ApplyAnswer() {
  Rebalance rebalance;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!standing_ || !answered_) return;
    rebalance = current_;
  }
  const List list = ToList(rebalance.partitions);
  ClientError error;
  if (rebalance.incremental) {
    error = headrace::Take(rebalance.assigned ? rd_kafka_incremental_assign(rk_, list.get())
                                              : rd_kafka_incremental_unassign(rk_, list.get()));
  } else {
    error = ToError(rd_kafka_assign(rk_, rebalance.assigned ? list.get() : nullptr));
  }
  if (error.code != RD_KAFKA_RESP_ERR_NO_ERROR) PushError(error);
  // Also what was asked for while the event was open.
  if (!rebalance.assigned) {
    Forget(rebalance.partitions);
    EndPauses(rebalance.partitions);
  }
  std::lock_guard<std::mutex> lock(mutex_);
  standing_ = false;
  shown_ = false;
  answered_ = false;
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
  const List list = ToList({position});
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
    const List list = ToList({position});
    const ClientError error = headrace::Take(rd_kafka_seek_partitions(rk_, list.get(), kLookUpMs));
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
  const ClientError error = headrace::Take(rd_kafka_consumer_close_queue(rk_, queue_));
  if (error.code != RD_KAFKA_RESP_ERR_NO_ERROR) Log(4, "close: " + error.message);
}

}  // namespace headrace
