// The producer's own thread: delivery reports, errors, the end.
#include <chrono>

#include "producer.h"

namespace headrace {

namespace {

constexpr int kPollMs = 100;
constexpr size_t kMaxErrors = 16;
constexpr int kFlushMs = 5;
constexpr auto kDrain = std::chrono::seconds(5);

bool WasPurged(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
}

}  // namespace

void Producer::Run() {
  uint64_t flushed = 0;
  while (!closing_) {
    // Counted before the records: one that is asked for in between is not taken for done.
    const uint64_t flushes = flushes_;
    if (outstanding_ == 0) flushed = flushes;
    const bool flushing = flushes != flushed;
    if (flushing) rd_kafka_flush(rk_, kFlushMs);  // Lingering records go now; their reports are served here.
    Serve(rd_kafka_queue_poll(queue_, flushing ? 0 : kPollMs));
    if (purging_ && outstanding_ > 0) PurgeQueue();
  }
  if (!aborting_) {
    rd_kafka_purge(rk_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    const auto deadline = std::chrono::steady_clock::now() + kDrain;
    while (outstanding_ > 0 && !aborting_ && std::chrono::steady_clock::now() < deadline) {
      Serve(rd_kafka_queue_poll(queue_, kPollMs));
    }
  }
  if (transaction_.joinable()) transaction_.join();
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
        // Not rd_kafka_message_produce_errstr: it points into the broker's answer, which librdkafka 2.12 has freed by now.
        const char* text = rd_kafka_err2str(message->err);
        if (batch.messages.empty() || batch.messages.back() != text) batch.messages.push_back(text);
        batch.refusals.push_back({static_cast<int32_t>(index), message->err, static_cast<int32_t>(batch.messages.size() - 1)});
        if (failure.code == RD_KAFKA_RESP_ERR_NO_ERROR && !WasPurged(message->err)) {
          failure = {message->err, false, text};
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
  // Whoever waits for the end of everything is woken by the last report, also where it settles no batch that is sealed yet.
  const bool drained = (outstanding_ -= served) == 0;
  if (options_.stop_on_failure && failure.code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    purging_ = true;
    Stop(failure);
  }
  if (settled || drained) wake_.Ring();
  NoteRoom();
}

void Producer::ServeError(rd_kafka_event_t* event) {
  const rd_kafka_resp_err_t code = rd_kafka_event_error(event);
  const char* text = rd_kafka_event_error_string(event);
  if (code != RD_KAFKA_RESP_ERR__FATAL) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (errors_.size() < kMaxErrors) errors_.push_back({code, false, text != nullptr ? text : ""});
    }
    wake_.Ring();
    Log(4, std::string(rd_kafka_err2name(code)) + ": " + (text != nullptr ? text : ""));
  } else {
    purging_ = true;
    Stop(FatalError());
  }
  rd_kafka_event_destroy(event);
}

}  // namespace headrace
