#include "producer.h"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace headrace {

namespace {

static_assert(sizeof(void*) == 8, "slot and index of a record travel in its opaque pointer");

constexpr int kPollMs = 100;
constexpr int kFlushMs = 5;
constexpr auto kDrain = std::chrono::seconds(5);
constexpr size_t kRun = 256;
// More than librdkafka adds to key and value of a record without headers.
constexpr size_t kOverhead = 256;

bool WasPurged(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
}

// A field of the chunk: null, or a range within `data`.
struct Field {
  void* data;
  size_t length;
};

Field FieldAt(const Chunk& chunk, const int32_t* range) {
  if (range[0] == -1) return {nullptr, 0};
  if (range[0] < 0 || range[1] < range[0] || static_cast<size_t>(range[1]) > chunk.data_length) {
    throw JsError{"ERR_OUT_OF_RANGE", "a record's range lies outside of its buffer"};
  }
  // Empty is not null: any address that is not null does.
  static uint8_t empty = 0;
  if (range[0] == range[1]) return {&empty, 0};
  return {const_cast<uint8_t*>(chunk.data) + range[0], static_cast<size_t>(range[1] - range[0])};
}

struct HeadersDeleter {
  void operator()(rd_kafka_headers_t* headers) const { rd_kafka_headers_destroy(headers); }
};
using Headers = std::unique_ptr<rd_kafka_headers_t, HeadersDeleter>;

Headers HeadersOf(const Field& field) {
  if (field.data == nullptr) return nullptr;
  Headers headers(rd_kafka_headers_new(4));
  const auto* at = static_cast<const uint8_t*>(field.data);
  const uint8_t* const end = at + field.length;
  const auto length = [&at, end](int32_t min) {
    int32_t value = 0;
    if (end - at < 4) throw JsError{"ERR_OUT_OF_RANGE", "a record's headers are cut off"};
    memcpy(&value, at, 4);
    at += 4;
    if (value < min || value > end - at) throw JsError{"ERR_OUT_OF_RANGE", "a record's header lies outside of its buffer"};
    return value;
  };
  while (at < end) {
    const int32_t name_length = length(0);
    const auto* name = reinterpret_cast<const char*>(at);
    at += name_length;
    const int32_t value_length = length(-1);
    // A length of 0 for the name would mean "count it yourself" only if it were -1.
    const rd_kafka_resp_err_t error =
        rd_kafka_header_add(headers.get(), name, name_length, value_length == -1 ? nullptr : at, std::max(value_length, 0));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) throw JsError{"ERR_NATIVE", rd_kafka_err2str(error)};
    at += std::max(value_length, 0);
  }
  return headers;
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
  if (topic == nullptr) throw JsError{"ERR_INVALID_ARG_VALUE", "not a topic name: " + name};
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
      size_t end = at;
      while (end < chunk.count && end - at < kRun && IsPlain(chunk, end) &&
             chunk.columns[end * Chunk::kFields] == chunk.columns[at * Chunk::kFields]) {
        end++;
      }
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
  if (full && outstanding_ == 0) {
    // The queue is empty and it still does not fit: it never will.
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
    const int64_t now = outstanding_;
    room_below_ = now - std::max<int64_t>(1, now / 4);
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

// Whether rd_kafka_produce_batch takes it as it is: it knows neither timestamps nor headers, loses memory when a given partition
// does not exist (librdkafka 2.12), and goes on after a record that it refuses for its size.
bool Producer::IsPlain(const Chunk& chunk, size_t index) const {
  const int32_t* record = chunk.columns + index * Chunk::kFields;
  if (record[1] != -1 || record[6] != -1 || chunk.timestamps[index] != 0) return false;
  const int64_t size = static_cast<int64_t>(record[3]) - record[2] + record[5] - record[4];
  return size >= 0 && static_cast<size_t>(size) + kOverhead <= max_message_bytes_;
}

size_t Producer::ProduceRun(const Chunk& chunk, size_t from, size_t to) {
  const int32_t topic = chunk.columns[from * Chunk::kFields];
  if (topic < 0 || static_cast<size_t>(topic) >= topics_.size()) throw JsError{"ERR_OUT_OF_RANGE", "no such topic handle"};
  rd_kafka_message_t messages[kRun];
  const size_t count = to - from;
  memset(messages, 0, count * sizeof messages[0]);
  for (size_t i = 0; i < count; i++) {
    const int32_t* record = chunk.columns + (from + i) * Chunk::kFields;
    const Field key = FieldAt(chunk, record + 2);
    const Field value = FieldAt(chunk, record + 4);
    messages[i].key = key.data;
    messages[i].key_len = key.length;
    messages[i].payload = value.data;
    messages[i].len = value.length;
    messages[i]._private = Tag(from + i);
  }
  const int good = rd_kafka_produce_batch(topics_[static_cast<size_t>(topic)], RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
                                          messages, static_cast<int>(count));
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
  ClientError failure;
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
    failure = {code, false, message != nullptr ? message : rd_kafka_err2str(code)};
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
  flushing_ = true;
  rd_kafka_queue_yield(queue_);
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

void Producer::Stop(const ClientError& failure) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    // The record that was refused says more than the consequence that librdkafka drew from it.
    if (failure_.code == RD_KAFKA_RESP_ERR_NO_ERROR || failure_.code == RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE) failure_ = failure;
  }
  stopped_ = true;
  wake_.Ring();
}

void Producer::Run() {
  while (!closing_) {
    if (outstanding_ == 0) flushing_ = false;
    if (flushing_) rd_kafka_flush(rk_, kFlushMs);  // Lingering records go now; their reports are served here.
    Serve(rd_kafka_queue_poll(queue_, flushing_ ? 0 : kPollMs));
    if (purging_ && outstanding_ > 0) PurgeQueue();
  }
  if (!aborting_) {
    rd_kafka_purge(rk_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    const auto deadline = std::chrono::steady_clock::now() + kDrain;
    while (outstanding_ > 0 && !aborting_ && std::chrono::steady_clock::now() < deadline) {
      Serve(rd_kafka_queue_poll(queue_, kPollMs));
    }
  }
  {
    std::lock_guard<std::mutex> gate(gate_);
    for (rd_kafka_topic_t* topic : topics_) rd_kafka_topic_destroy(topic);
    topics_.clear();
    rd_kafka_queue_destroy(queue_);
    queue_ = nullptr;
  }
  Destroy(0);
}

void Producer::PurgeQueue() {
  // Nothing is queued meanwhile, so nothing behind a refused record can slip through.
  std::lock_guard<std::mutex> gate(gate_);
  rd_kafka_purge(rk_, RD_KAFKA_PURGE_F_QUEUE);
}

void Producer::Serve(rd_kafka_event_t* event) {
  if (event == nullptr) return;
  switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_DR:
      ServeReports(event);
      return;
    case RD_KAFKA_EVENT_ERROR:
      ServeError(event);
      return;
    default:
      rd_kafka_event_destroy(event);
  }
}

void Producer::ServeReports(rd_kafka_event_t* event) {
  int64_t served = 0;
  bool settled = false;
  ClientError failure;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    while (const rd_kafka_message_t* message = rd_kafka_event_message_next(event)) {
      const auto tag = reinterpret_cast<uint64_t>(message->_private);
      const auto slot = static_cast<uint32_t>(tag >> 32);
      const auto index = static_cast<uint32_t>(tag);
      Batch& batch = *slots_[slot];
      served++;
      batch.outstanding--;
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char* text = rd_kafka_message_produce_errstr(message);
        int32_t text_index = -1;
        if (text != nullptr) {
          if (batch.messages.empty() || batch.messages.back() != text) batch.messages.push_back(text);
          text_index = static_cast<int32_t>(batch.messages.size() - 1);
        }
        batch.refusals.push_back({static_cast<int32_t>(index), message->err, text_index});
        if (failure.code == RD_KAFKA_RESP_ERR_NO_ERROR && !WasPurged(message->err)) {
          failure = {message->err, false, text != nullptr ? text : rd_kafka_err2str(message->err)};
        }
      } else if (options_.report_positions) {
        batch.partitions[index] = message->partition;
        batch.offsets[index] = message->offset;
      }
      if (batch.sealed && batch.outstanding == 0) {
        Settle(slot);
        settled = true;
      }
    }
  }
  rd_kafka_event_destroy(event);  // Gives the queue its room back.
  outstanding_ -= served;
  if (options_.stop_on_failure && failure.code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    purging_ = true;
    Stop(failure);
  }
  if (settled) wake_.Ring();
  NoteRoom();
}

void Producer::ServeError(rd_kafka_event_t* event) {
  const rd_kafka_resp_err_t code = rd_kafka_event_error(event);
  const char* text = rd_kafka_event_error_string(event);
  if (code != RD_KAFKA_RESP_ERR__FATAL) {
    Log(4, std::string(rd_kafka_err2name(code)) + ": " + (text != nullptr ? text : ""));
  } else {
    char reason[512];
    const rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(rk_, reason, sizeof reason);
    // The gap-less guarantee ends the client where a record was refused, which is what stop_on_failure asks for.
    const bool asked_for = options_.stop_on_failure && fatal == RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE;
    purging_ = true;
    Stop({fatal, !asked_for, reason});
  }
  rd_kafka_event_destroy(event);
}

}  // namespace headrace
