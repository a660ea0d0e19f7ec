// The producer as JavaScript's thread uses it. Its own thread is in producer_thread.cc.
#include "producer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace headrace {

namespace {

static_assert(sizeof(void*) == 8, "slot and index of a record travel in its opaque pointer");

constexpr size_t kRun = HEADRACE_RUN_MAX;
// The records of a run for one partition share an allocation, which stays until the last of them is acknowledged. A larger record is alone.
constexpr size_t kRunBytes = 64 * 1024;
// More than librdkafka adds to key and value of a record without headers.
constexpr size_t kOverhead = 256;

// Bytes of key and value.
size_t SizeOf(const Chunk& chunk, size_t index) {
  const int32_t* record = chunk.columns + index * Chunk::kFields;
  return static_cast<size_t>(static_cast<int64_t>(record[3]) - record[2] + record[5] - record[4]);
}

}  // namespace

void Producer::Open(rd_kafka_conf_t* conf) {
  Configure(conf);
  rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
  char text[64] = "";
  size_t size = sizeof text;
  if (rd_kafka_conf_get(conf, "message.max.bytes", text, &size) == RD_KAFKA_CONF_OK) max_message_bytes_ = strtoul(text, nullptr, 10);
  char error[512];
  rk_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
  if (rk_ == nullptr) {
    rd_kafka_conf_destroy(conf);
    throw JsError{"ERR_CONFIG", error};
  }
  queue_ = rd_kafka_queue_get_main(rk_);
}

int32_t Producer::Topic(const std::string& name) {
  std::lock_guard<std::mutex> gate(gate_);
  if (rk_ == nullptr) throw JsError{"ERR_CLOSED", "the producer is closed"};
  rd_kafka_topic_t* topic = rd_kafka_topic_new(rk_, name.c_str(), nullptr);
  if (topic == nullptr) throw JsError{"ERR_INVALID_ARG_VALUE", "cannot write to topic " + name + ": " + rd_kafka_err2str(rd_kafka_last_error())};
  topics_.push_back(topic);
  return static_cast<int32_t>(topics_.size() - 1);
}

void Producer::OpenBatch(double number, uint32_t size) {
  if (batch_open_) throw JsError{"ERR_STATE", "the last batch is not sealed"};
  auto batch = std::make_unique<Batch>();
  batch->number = number;
  if (options_.report_positions) {
    batch->partitions.assign(size, -1);
    batch->offsets.assign(size, -1);
  }
  std::lock_guard<std::mutex> lock(mutex_);
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  open_slot_ = free_slots_.back();
  free_slots_.pop_back();
  slots_[open_slot_] = std::move(batch);
  open_size_ = size;
  batch_open_ = true;
}

void* Producer::Tag(size_t index) const {
  const uint64_t tag = (static_cast<uint64_t>(open_slot_) << 32) | (chunk_base_ + static_cast<uint32_t>(index));
  return reinterpret_cast<void*>(tag);
}

size_t Producer::Produce(const Chunk& chunk, size_t from) {
  std::lock_guard<std::mutex> gate(gate_);
  if (rk_ == nullptr) throw JsError{"ERR_CLOSED", "the producer is closed"};
  if (!batch_open_) throw JsError{"ERR_STATE", "no batch is open"};
  const auto wanted = static_cast<uint32_t>(chunk.count - from);
  const bool alone = outstanding_ == 0;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    Batch& batch = *slots_[open_slot_];
    if (wanted > open_size_ - batch.queued) throw JsError{"ERR_OUT_OF_RANGE", "more records than the batch was opened for"};
    chunk_base_ = batch.queued - static_cast<uint32_t>(from);
    // Counted first, since reports come while records are still being queued.
    batch.queued += wanted;
    batch.outstanding += wanted;
  }
  outstanding_ += wanted;
  size_t at = from;
  bool full = false;
  const auto settle_rest = [&] {
    const auto rest = static_cast<uint32_t>(chunk.count - at);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      Batch& batch = *slots_[open_slot_];
      batch.queued -= rest;
      batch.outstanding -= rest;
    }
    outstanding_ -= rest;
  };
  try {
    while (at < chunk.count && !full && !stopped_) {
      const size_t end = RunFrom(chunk, at);
      if (end > at) {
        const size_t reached = ProduceRun(chunk, at, end);
        full = reached < end;
        at = reached;
      } else if (ProduceOne(chunk, at) == Outcome::kFull) {
        full = true;
      } else {
        at++;
      }
    }
  } catch (...) {
    settle_rest();
    throw;
  }
  settle_rest();
  if (full && alone && at == from) {
    // The queue was empty and it did not fit: it never will.
    {
      std::lock_guard<std::mutex> lock(mutex_);
      Batch& batch = *slots_[open_slot_];
      batch.queued++;
      batch.outstanding++;
    }
    outstanding_++;
    Refuse(open_slot_, chunk_base_ + static_cast<uint32_t>(at), RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
           "larger than queue.buffering.max.kbytes");
    at++;
    if (!stopped_ && at < chunk.count) wake_.Ring();  // Nobody else would wake the caller for the rest.
  } else if (full) {
    // It may have become empty since, so that no report comes any more: NoteRoom wakes the caller at once then.
    const int64_t now = outstanding_;
    room_below_ = std::max<int64_t>(0, now - std::max<int64_t>(1, now / 4));
    NoteRoom();
  }
  return at;
}

void Producer::NoteRoom() {
  const int64_t below = room_below_;
  if (below < 0 || outstanding_ > below) return;
  room_below_ = -1;
  wake_.Ring();
}

// The end of the run of plain records of one topic that starts here; the start itself if there is none.
size_t Producer::RunFrom(const Chunk& chunk, size_t from) const {
  const int32_t topic = chunk.columns[from * Chunk::kFields];
  size_t bytes = 0;
  size_t end = from;
  while (end < chunk.count && end - from < kRun && chunk.columns[end * Chunk::kFields] == topic && IsPlain(chunk, end)) {
    bytes += SizeOf(chunk, end);
    if (end > from && bytes > kRunBytes) break;
    end++;
  }
  return end;
}

// Whether it can be a part of a run, or of rd_kafka_produce_batch, as it is: they know neither timestamps nor headers, the latter loses memory
// when a given partition does not exist (librdkafka 2.12), and goes on after a record that it refuses for its size.
bool Producer::IsPlain(const Chunk& chunk, size_t index) const {
  const int32_t* record = chunk.columns + index * Chunk::kFields;
  if (record[1] != -1 || record[6] != -1 || chunk.timestamps[index] != 0) return false;
  return static_cast<int64_t>(record[3]) - record[2] + record[5] - record[4] >= 0 &&
         SizeOf(chunk, index) + kOverhead <= max_message_bytes_;
}

size_t Producer::ProduceRun(const Chunk& chunk, size_t from, size_t to) {
  const int32_t topic = chunk.columns[from * Chunk::kFields];
  if (topic < 0 || static_cast<size_t>(topic) >= topics_.size()) throw JsError{"ERR_OUT_OF_RANGE", "no such topic handle"};
  headrace_record_t records[kRun];
  for (size_t i = from; i < to; i++) {
    const int32_t* record = chunk.columns + i * Chunk::kFields;
    const Field key = FieldAt(chunk, record + 2);
    const Field value = FieldAt(chunk, record + 4);
    records[i - from] = {key.data, key.length, value.data, value.length, Tag(i)};
  }
  rd_kafka_topic_t* handle = topics_[static_cast<size_t>(topic)];
  const int queued = headrace_produce_run(handle, records, static_cast<int>(to - from));
  return queued >= 0 ? from + static_cast<size_t>(queued) : ProduceBatch(handle, records, from, to);
}

// The same, record by record within librdkafka, where the topic is not known yet or nothing can be queued any more.
size_t Producer::ProduceBatch(rd_kafka_topic_t* topic, const headrace_record_t* records, size_t from, size_t to) {
  rd_kafka_message_t messages[kRun];
  const size_t count = to - from;
  memset(messages, 0, count * sizeof messages[0]);
  for (size_t i = 0; i < count; i++) {
    messages[i].key = const_cast<void*>(records[i].key);
    messages[i].key_len = records[i].key_length;
    messages[i].payload = const_cast<void*>(records[i].value);
    messages[i].len = records[i].length;
    messages[i]._private = records[i].opaque;
  }
  const int good = rd_kafka_produce_batch(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, messages, static_cast<int>(count));
  if (static_cast<size_t>(good) == count) return to;
  for (size_t i = 0; i < count; i++) {
    if (messages[i].err == RD_KAFKA_RESP_ERR__QUEUE_FULL) return from + i;  // So are all behind it.
    if (messages[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      Refuse(open_slot_, chunk_base_ + static_cast<uint32_t>(from + i), messages[i].err, nullptr);
    }
  }
  return to;
}

Producer::Outcome Producer::ProduceOne(const Chunk& chunk, size_t index) {
  const int32_t* record = chunk.columns + index * Chunk::kFields;
  if (record[0] < 0 || static_cast<size_t>(record[0]) >= topics_.size()) throw JsError{"ERR_OUT_OF_RANGE", "no such topic handle"};
  if (record[1] < -1) throw JsError{"ERR_OUT_OF_RANGE", "a partition must not be negative"};
  const double timestamp = chunk.timestamps[index];
  if (!(timestamp >= 0 && timestamp <= 9007199254740991.0)) throw JsError{"ERR_OUT_OF_RANGE", "not a timestamp"};
  const Field key = FieldAt(chunk, record + 2);
  const Field value = FieldAt(chunk, record + 4);
  Headers headers = HeadersOf(FieldAt(chunk, record + 6));
  rd_kafka_vu_t fields[8];
  size_t count = 0;
  fields[count].vtype = RD_KAFKA_VTYPE_RKT;
  fields[count++].u.rkt = topics_[static_cast<size_t>(record[0])];
  fields[count].vtype = RD_KAFKA_VTYPE_PARTITION;
  fields[count++].u.i32 = record[1];
  fields[count].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  fields[count++].u.i = RD_KAFKA_MSG_F_COPY;
  fields[count].vtype = RD_KAFKA_VTYPE_KEY;
  fields[count].u.mem.ptr = key.data;
  fields[count++].u.mem.size = key.length;
  fields[count].vtype = RD_KAFKA_VTYPE_VALUE;
  fields[count].u.mem.ptr = value.data;
  fields[count++].u.mem.size = value.length;
  fields[count].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  fields[count++].u.i64 = static_cast<int64_t>(timestamp);
  fields[count].vtype = RD_KAFKA_VTYPE_OPAQUE;
  fields[count++].u.ptr = Tag(index);
  if (headers != nullptr) {
    fields[count].vtype = RD_KAFKA_VTYPE_HEADERS;
    fields[count++].u.headers = headers.get();
  }
  rd_kafka_error_t* error = rd_kafka_produceva(rk_, fields, count);
  if (error == nullptr) {
    headers.release();  // The message owns them now.
    return Outcome::kQueued;
  }
  const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
  rd_kafka_error_destroy(error);
  if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) return Outcome::kFull;
  Refuse(open_slot_, chunk_base_ + static_cast<uint32_t>(index), code, nullptr);
  return Outcome::kRefused;
}

// Refused on the spot. What was queued before goes its way.
void Producer::Refuse(uint32_t slot, uint32_t index, rd_kafka_resp_err_t code, const char* message) {
  ClientError failure = {code, false, message != nullptr ? message : rd_kafka_err2str(code)};
  if (code == RD_KAFKA_RESP_ERR__FATAL) {
    // It has ended, and its thread has not been told yet. This code says nothing.
    failure = FatalError();
    message = failure.message.c_str();
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    Batch& batch = *slots_[slot];
    batch.outstanding--;
    int32_t text = -1;
    if (message != nullptr) {
      text = static_cast<int32_t>(batch.messages.size());
      batch.messages.push_back(message);
    }
    batch.refusals.push_back({static_cast<int32_t>(index), code, text});
  }
  outstanding_--;
  if (options_.stop_on_failure) Stop(failure);
}

void Producer::SealBatch() {
  if (!batch_open_) return;
  batch_open_ = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    Batch& batch = *slots_[open_slot_];
    for (uint32_t index = batch.queued; index < open_size_; index++) {
      batch.refusals.push_back({static_cast<int32_t>(index), RD_KAFKA_RESP_ERR__PURGE_QUEUE, -1});
    }
    batch.sealed = true;
    if (batch.outstanding > 0) return;
    Settle(open_slot_);
  }
  wake_.Ring();
}

// mutex_ is held.
void Producer::Settle(uint32_t slot) {
  std::unique_ptr<Batch> batch = std::move(slots_[slot]);
  std::sort(batch->refusals.begin(), batch->refusals.end(),
            [](const Refusal& a, const Refusal& b) { return a.index < b.index; });
  settled_.push_back(std::move(batch));
  free_slots_.push_back(slot);
}

std::vector<std::unique_ptr<Batch>> Producer::TakeSettled() {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::move(settled_);
}

ClientError Producer::failure() {
  std::lock_guard<std::mutex> lock(mutex_);
  return failure_;
}

void Producer::Flush() {
  std::lock_guard<std::mutex> gate(gate_);
  if (rk_ == nullptr) return;
  flushes_++;
  rd_kafka_queue_yield(queue_);
}

int64_t Producer::Held() {
  std::lock_guard<std::mutex> gate(gate_);
  return rk_ == nullptr ? 0 : rd_kafka_outq_len(rk_);
}

std::vector<ClientError> Producer::TakeErrors() {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(errors_, {});
}

void Producer::Close() {
  std::lock_guard<std::mutex> gate(gate_);
  closing_ = true;
  if (rk_ != nullptr) rd_kafka_queue_yield(queue_);
}

void Producer::Abort() {
  aborting_ = true;
  Close();
}

// Why the client has ended; code 0 if it has not.
ClientError Producer::FatalError() {
  char reason[512];
  const rd_kafka_resp_err_t code = rd_kafka_fatal_error(rk_, reason, sizeof reason);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  // The gap-less guarantee ends the client where a record was refused, which is what stop_on_failure asks for.
  const bool asked_for = options_.stop_on_failure && code == RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE;
  return {code, !asked_for, reason};
}

void Producer::Stop(const ClientError& failure) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    // The record that was refused says more than the consequence that librdkafka drew from it.
    if (failure_.code == RD_KAFKA_RESP_ERR_NO_ERROR || failure_.code == RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE) failure_ = failure;
  }
  stopped_ = true;
  wake_.Ring();
}

}  // namespace headrace
