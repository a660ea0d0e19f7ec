// A producer that counts acknowledgements by batch. JavaScript hands over encoded chunks; the thread serves delivery reports.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../librdkafka/produce_run.h"
#include "chunk.h"
#include "client.h"

namespace headrace {

// What a transactional producer is asked to do; each waits for brokers, except the second.
enum class TransactionStep { kInit, kBegin, kCommit, kAbort };

// How a step went. `abortable`: the transaction has failed, and another may follow once it is aborted.
struct TransactionEnd {
  ClientError error;
  bool abortable = false;
};

struct ProducerOptions {
  bool report_positions;
  bool stop_on_failure;
};

// A record that was refused: its place in the batch, the error, and the broker's own words if it had any (else -1).
struct Refusal {
  int32_t index;
  int32_t code;
  int32_t message;
};

// The records that one `send` queued.
struct Batch {
  double number = 0;
  uint32_t queued = 0;       // Records that have a place in it so far.
  uint32_t outstanding = 0;  // Of these, neither acknowledged nor refused.
  bool sealed = false;       // No more records come.
  std::vector<Refusal> refusals;
  std::vector<std::string> messages;
  std::vector<int32_t> partitions;
  std::vector<int64_t> offsets;
};

class Producer : public Client {
 public:
  explicit Producer(const ProducerOptions& options) : options_(options) {}

  // All of these: JavaScript's thread only.
  void Open(rd_kafka_conf_t* conf);
  int32_t Topic(const std::string& name);
  void OpenBatch(double number, uint32_t size);
  // Queues records of the open batch from `from` on; returns how far it came. Less than the count: the queue is full (a wake follows when
  // there is room), or the producer has stopped.
  size_t Produce(const Chunk& chunk, size_t from);
  // Nothing more comes; records of its `size` that were not queued count as refused with _PURGE_QUEUE.
  void SealBatch();
  std::vector<std::unique_ptr<Batch>> TakeSettled();
  void Flush();
  // Begins a step of a transaction, one at a time. A wake follows its end.
  void Transact(TransactionStep step);
  // True once the step has ended; how.
  bool TakeTransacted(TransactionEnd* end);
  // Records that librdkafka itself still has, delivery reports that were not served included.
  int64_t Held();
  // Errors that are not fatal, as of brokers that refuse the client, since the last call; the first few of them.
  std::vector<ClientError> TakeErrors();
  void Close();

  int64_t outstanding() const { return outstanding_; }
  bool stopped() const { return stopped_; }
  // Why it stopped; code 0 while it has not.
  ClientError failure();

 protected:
  void Run() override;
  void Abort() override;

 private:
  enum class Outcome { kQueued, kRefused, kFull };

  Outcome ProduceOne(const Chunk& chunk, size_t index);
  size_t ProduceRun(const Chunk& chunk, size_t from, size_t to);
  size_t ProduceBatch(rd_kafka_topic_t* topic, const headrace_record_t* records, size_t from, size_t to);
  size_t RunFrom(const Chunk& chunk, size_t from) const;
  bool IsPlain(const Chunk& chunk, size_t index) const;
  void* Tag(size_t offset) const;
  void Refuse(uint32_t slot, uint32_t index, rd_kafka_resp_err_t code, const char* message);
  void NoteRoom();
  void Serve(rd_kafka_event_t* event);
  void ServeReports(rd_kafka_event_t* event);
  void ServeError(rd_kafka_event_t* event);
  void Settle(uint32_t slot);
  ClientError FatalError();
  void Stop(const ClientError& failure);
  void PurgeQueue();
  void RunTransaction(TransactionStep step);
  TransactionEnd TransactOnce(TransactionStep step);

  const ProducerOptions options_;
  size_t max_message_bytes_ = 0;
  rd_kafka_queue_t* queue_ = nullptr;

  // Under gate_.
  std::vector<rd_kafka_topic_t*> topics_;

  // JavaScript's thread, and the producer's own once closing_ is set.
  std::thread transaction_;

  // JavaScript's thread only.
  bool batch_open_ = false;
  uint32_t open_slot_ = 0;
  uint32_t open_size_ = 0;
  uint32_t chunk_base_ = 0;  // Place in the batch of the chunk's record `from`, less `from`.

  // Under mutex_.
  std::mutex mutex_;
  std::vector<std::unique_ptr<Batch>> slots_;
  std::vector<uint32_t> free_slots_;
  std::vector<std::unique_ptr<Batch>> settled_;
  ClientError failure_;
  std::vector<ClientError> errors_;
  bool transacting_ = false;
  bool transacted_ = false;
  TransactionEnd transaction_end_;

  std::atomic<int64_t> outstanding_{0};
  std::atomic<int64_t> room_below_{-1};  // Wake when fewer records are outstanding; -1: nobody waits.
  std::atomic<bool> stopped_{false};
  std::atomic<bool> purging_{false};
  std::atomic<uint64_t> flushes_{0};  // Asked for so far.
  std::atomic<bool> closing_{false};
  std::atomic<bool> aborting_{false};
};

void ExportProducer(napi_env env, napi_value exports);

}  // namespace headrace
