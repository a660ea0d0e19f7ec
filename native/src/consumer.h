// A member of a consumer group. Its thread fetches one batch ahead of JavaScript, and stands still at every rebalance until JavaScript has
// answered. Positions, commits and what a rebalance means are JavaScript's affair.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "bell.h"
#include "client.h"
#include "partition_list.h"
#include "slab.h"

namespace headrace {

struct ConsumerLimits {
  size_t max_records;
  size_t max_bytes;
};

// A rebalance: partitions that come (with the offset they start from, RD_KAFKA_OFFSET_INVALID if none was committed) or go.
struct Rebalance {
  bool assigned = false;
  bool incremental = false;
  bool lost = false;
  std::vector<Position> partitions;
};

// The answer to a commit or seek; code 0 is success.
struct Answer {
  double id;
  ClientError error;
};

class Consumer : public Client {
 public:
  explicit Consumer(const ConsumerLimits& limits);

  // All of these: JavaScript's thread only.
  void Open(rd_kafka_conf_t* conf, const std::vector<std::string>& subscription);

  // What there is next: a batch (lent until the next call), a rebalance (until it is acknowledged), an error, or nothing (a wake follows).
  enum class Next { kNothing, kBatch, kRebalance, kError };
  Next Take();
  // The caller no longer waits for what Take promised.
  void Rest();
  Slab& lent() { return *lent_; }
  Rebalance rebalance();
  ClientError error() const { return taken_error_; }
  // Names that were added to the topics since the last call.
  std::vector<std::string> TakeTopics();

  void Acknowledge(const std::vector<Position>& positions);
  void Commit(double id, const std::vector<Position>& positions);
  void Seek(double id, const Position& position);
  void Pause(const std::vector<Position>& partitions, bool pause);
  std::vector<Answer> TakeAnswers();
  std::string MemberId();
  // Leaves the group; with `force` just ends. `deliver`: JavaScript still takes and answers rebalances, otherwise they are answered here,
  // also one that it has seen and left open. May be called again with other arguments.
  void Close(bool force, bool deliver);
  void Release(napi_env env);

 protected:
  void Run() override;
  void Abort() override;

 private:
  struct Command {
    enum class Kind { kSeek, kPause, kResume } kind;
    double id;
    Position position;
  };
  using Clock = std::chrono::steady_clock;

  static constexpr size_t kMaxErrors = 64;

  static void OnRebalance(rd_kafka_t* rk, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* list, void* self);
  static void OnError(rd_kafka_t* rk, int error, const char* reason, void* self);
  static void OnQueueEvent(rd_kafka_t* rk, void* self);

  // The thread's steps.
  bool MayFetch();
  bool Fetch();
  void AppendCarried();
  void Keep(rd_kafka_message_t* message);
  void Append(const rd_kafka_message_t* message);
  bool IsFull() const;
  bool DropIfBlocked(uint64_t key, int64_t offset);
  void ServeRebalance();
  void LookUpCommitted(Rebalance& rebalance);
  void ApplyAnswer();
  void ServeCommands();
  void RunCommand(const Command& command);
  rd_kafka_resp_err_t SeekTo(const Position& position);
  void ServeCommits();
  void StartClose();
  void Forget(const std::vector<Position>& partitions);
  void EndPauses(const std::vector<Position>& partitions);
  void PushError(const ClientError& error);
  uint32_t TopicIndex(const std::string& name);
  void Block(uint64_t key);
  void Unblock(uint64_t key);
  bool TakeDropped(const Position& position, int64_t* offset);
  void Tell();

  const ConsumerLimits limits_;
  rd_kafka_queue_t* queue_ = nullptr;     // Messages, rebalances, consumer errors.
  rd_kafka_queue_t* commits_ = nullptr;   // Answers to commits.
  Bell bell_;

  // The thread's own.
  std::vector<rd_kafka_message_t*> fetched_;
  std::deque<Rebalance> announced_;  // By the callback, not served yet.
  size_t average_bytes_ = 1024;
  bool close_started_ = false;

  // JavaScript's thread only.
  ClientError taken_error_;
  size_t topics_taken_ = 0;

  // Under mutex_.
  std::mutex mutex_;
  std::unique_ptr<Slab> filling_;
  std::unique_ptr<Slab> lent_;
  std::deque<rd_kafka_message_t*> carried_;  // Fetched, but the slab was full.
  bool waiting_ = false;  // JavaScript asked and got nothing.
  Clock::time_point asked_;
  bool standing_ = false;  // A rebalance waits for its answer …
  bool shown_ = false;     // … and JavaScript has seen it …
  bool answered_ = false;  // … and has answered.
  Rebalance current_;
  std::deque<ClientError> errors_;
  std::deque<Command> commands_;
  std::vector<Answer> answers_;
  std::vector<std::string> topics_;
  std::unordered_map<std::string, uint32_t> topic_index_;
  // Partitions whose records are dropped, not delivered, until so many commands have run.
  std::map<uint64_t, int> blocked_;
  std::set<uint64_t> paused_;             // As JavaScript wants it.
  std::map<uint64_t, int64_t> dropped_;   // The first offset dropped of a blocked partition.
  std::string member_id_;

  std::atomic<bool> closing_{false};
  std::atomic<bool> forced_{false};
  std::atomic<bool> deliver_{false};
};

void ExportConsumer(napi_env env, napi_value exports);

}  // namespace headrace
