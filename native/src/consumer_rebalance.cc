// The consumer's own thread: rebalances, from librdkafka's callback to the answer.
#include <cstring>

#include "consumer.h"

namespace headrace {

namespace {

constexpr auto kRetry = std::chrono::milliseconds(100);
constexpr int kLookUpMs = 1000;

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
  const PartitionList list = ToList(rebalance.partitions);
  while (!closing_) {
    rd_kafka_resp_err_t code = rd_kafka_committed(rk_, list.get(), kLookUpMs);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) code = FirstError(list.get());
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) break;
    if (!Passes(code)) {
      PushError(ToError(code));
      break;
    }
    bell_.Wait(kRetry);
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
  const PartitionList list = ToList(rebalance.partitions);
  ClientError error;
  if (rebalance.incremental) {
    error = TakeError(rebalance.assigned ? rd_kafka_incremental_assign(rk_, list.get())
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

}  // namespace headrace
