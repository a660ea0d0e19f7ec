// Transactions: librdkafka's calls wait for brokers, so each step has a thread for as long as it takes.
#include <pthread.h>

#include <chrono>
#include <csignal>

#include "producer.h"

namespace headrace {

namespace {

// The calls go on where they were when they are repeated, so that a close does not have to wait for brokers that are away.
constexpr int kSliceMs = 2000;
constexpr auto kRetryPause = std::chrono::milliseconds(100);

}  // namespace

void Producer::Transact(TransactionStep step) {
  std::lock_guard<std::mutex> gate(gate_);
  if (rk_ == nullptr || closing_) throw JsError{"ERR_CLOSED", "the producer is closed"};
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (transacting_) throw JsError{"ERR_STATE", "a step of the transaction is under way"};
    transacting_ = true;
    transacted_ = false;
  }
  if (transaction_.joinable()) transaction_.join();  // It has ended.
  // Signals are for node's threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    transaction_ = std::thread([this, step] { RunTransaction(step); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    std::lock_guard<std::mutex> lock(mutex_);
    transacting_ = false;
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// The producer's own thread frees the client only after this one has ended.
void Producer::RunTransaction(TransactionStep step) {
  const TransactionEnd end = TransactOnce(step);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    transaction_end_ = end;
    transacted_ = true;
    transacting_ = false;
  }
  wake_.Ring();
}

TransactionEnd Producer::TransactOnce(TransactionStep step) {
  for (;;) {
    rd_kafka_error_t* error = nullptr;
    switch (step) {
      case TransactionStep::kInit:
        error = rd_kafka_init_transactions(rk_, kSliceMs);
        break;
      case TransactionStep::kBegin:
        error = rd_kafka_begin_transaction(rk_);
        break;
      case TransactionStep::kCommit:
        error = rd_kafka_commit_transaction(rk_, kSliceMs);
        break;
      case TransactionStep::kAbort:
        error = rd_kafka_abort_transaction(rk_, kSliceMs);
        break;
    }
    if (error == nullptr) return {};
    const bool retriable = rd_kafka_error_is_retriable(error) != 0;
    const bool abortable = rd_kafka_error_txn_requires_abort(error) != 0;
    const ClientError taken = TakeError(error);
    if (!retriable || abortable || closing_) return {taken, abortable};
    if (taken.code != RD_KAFKA_RESP_ERR__TIMED_OUT) std::this_thread::sleep_for(kRetryPause);
  }
}

bool Producer::TakeTransacted(TransactionEnd* end) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!transacted_) return false;
  transacted_ = false;
  *end = transaction_end_;
  return true;
}

}  // namespace headrace
