// The consumer's functions as JavaScript sees them (`native/addon.ts`).
#include <algorithm>

#include "consumer.h"
#include "js.h"

namespace headrace {

namespace {

constexpr napi_type_tag kConsumerTag = {0x3d84f1c65b0e4a97, 0xb27e19d0c84a6f53};

Consumer* ConsumerOf(const Call& call) { return static_cast<Consumer*>(FromHandle(call, 0, kConsumerTag)); }

// Positions from three columns, beginning with argument `first`: topics, partitions and, with `offsets`, offsets.
std::vector<Position> PositionsAt(const Call& call, size_t first, bool with_offsets) {
  const std::vector<std::string> topics = call.Strings(first);
  size_t partitions_length = 0;
  const int32_t* partitions = call.Int32s(first + 1, &partitions_length);
  size_t offsets_length = topics.size();
  const int64_t* offsets = with_offsets ? call.BigInt64s(first + 2, &offsets_length) : nullptr;
  if (partitions_length != topics.size() || offsets_length != topics.size()) {
    throw JsError{"ERR_INVALID_ARG_VALUE", "topics, partitions and offsets differ in length"};
  }
  std::vector<Position> positions;
  for (size_t i = 0; i < topics.size(); i++) {
    const int64_t offset = offsets != nullptr ? offsets[i] : RD_KAFKA_OFFSET_INVALID;
    if (partitions[i] < 0 || (offsets != nullptr && offset < 0)) {
      throw JsError{"ERR_OUT_OF_RANGE", "a partition or an offset is negative"};
    }
    positions.push_back({topics[i], partitions[i], offset});
  }
  return positions;
}

// (config, subscription, maxRecords, maxBytes, keepLogs, wake) → handle
napi_value Open(const Call& call) {
  const std::vector<std::string> subscription = call.Strings(1);
  if (subscription.empty()) throw JsError{"ERR_INVALID_ARG_VALUE", "the subscription is empty"};
  const ConsumerLimits limits = {static_cast<size_t>(call.Integer(2, 1, 1 << 20)),
                                 static_cast<size_t>(call.Integer(3, 1, 1 << 30))};
  const bool keep_logs = call.Bool(4);
  const napi_value wake = call.Function(5);
  const auto consumer = std::make_shared<Consumer>(limits);
  rd_kafka_conf_t* conf = ToConf(
      call.Strings(0),
      {"enable.auto.commit", "false", "enable.auto.offset.store", "false", "enable.partition.eof", "false"});
  consumer->Open(conf, subscription);
  const napi_value handle = ToHandle(call.env(), consumer, kConsumerTag);
  consumer->Start(call.env(), wake, keep_logs);
  return handle;
}

napi_value BatchToJs(napi_env env, Consumer* consumer) {
  Slab& slab = consumer->lent();
  return Array(env, {ToJs(env, std::string("batch")), ToJs(env, static_cast<double>(slab.count())), slab.DataBuffer(env),
                     ToJs(env, static_cast<double>(slab.used())), slab.ColumnsBuffer(env),
                     ToJs(env, static_cast<double>(slab.capacity())), ToJs(env, consumer->TakeTopics())});
}

napi_value RebalanceToJs(napi_env env, const Rebalance& rebalance) {
  std::vector<std::string> topics;
  std::vector<int32_t> partitions;
  std::vector<int64_t> offsets;
  for (const Position& position : rebalance.partitions) {
    topics.push_back(position.topic);
    partitions.push_back(position.partition);
    offsets.push_back(position.offset < 0 ? -1 : position.offset);
  }
  return Array(env, {ToJs(env, std::string(rebalance.assigned ? "assigned" : "revoked")), ToJs(env, topics),
                     ToInt32Array(env, partitions.data(), partitions.size()),
                     ToBigInt64Array(env, offsets.data(), offsets.size()), ToJs(env, rebalance.lost)});
}

// (handle) → null, or what there is: ["batch", …], ["assigned" | "revoked", …], ["error", …]
napi_value Take(const Call& call) {
  Consumer* consumer = ConsumerOf(call);
  switch (consumer->Take()) {
    case Consumer::Next::kBatch:
      return BatchToJs(call.env(), consumer);
    case Consumer::Next::kRebalance:
      return RebalanceToJs(call.env(), consumer->rebalance());
    case Consumer::Next::kError:
      return Array(call.env(), {ToJs(call.env(), std::string("error")), ToJs(call.env(), consumer->error())});
    case Consumer::Next::kNothing:
      break;
  }
  return Null(call.env());
}

napi_value Rest(const Call& call) {
  ConsumerOf(call)->Rest();
  return Undefined(call.env());
}

// (handle, topics, partitions, offsets)
napi_value Acknowledge(const Call& call) {
  ConsumerOf(call)->Acknowledge(PositionsAt(call, 1, true));
  return Undefined(call.env());
}

// (handle, id, topics, partitions, offsets)
napi_value Commit(const Call& call) {
  Consumer* consumer = ConsumerOf(call);
  const int64_t id = call.Integer(1, 1, 9007199254740991);
  consumer->Commit(static_cast<double>(id), PositionsAt(call, 2, true));
  return Undefined(call.env());
}

// (handle, id, [topic], [partition], [offset])
napi_value Seek(const Call& call) {
  Consumer* consumer = ConsumerOf(call);
  const int64_t id = call.Integer(1, 1, 9007199254740991);
  const std::vector<Position> positions = PositionsAt(call, 2, true);
  if (positions.size() != 1) throw JsError{"ERR_INVALID_ARG_VALUE", "a seek has one position"};
  consumer->Seek(static_cast<double>(id), positions[0]);
  return Undefined(call.env());
}

// (handle, topics, partitions, pause)
napi_value Pause(const Call& call) {
  const bool pause = call.Bool(3);
  ConsumerOf(call)->Pause(PositionsAt(call, 1, false), pause);
  return Undefined(call.env());
}

// (handle) → [[id, code, message], …]
napi_value TakeAnswers(const Call& call) {
  std::vector<napi_value> values;
  for (const Answer& answer : ConsumerOf(call)->TakeAnswers()) {
    values.push_back(Array(call.env(), {ToJs(call.env(), answer.id), ToJs(call.env(), static_cast<double>(answer.error.code)),
                                        ToJs(call.env(), answer.error.message)}));
  }
  return Array(call.env(), values);
}

napi_value MemberId(const Call& call) { return ToJs(call.env(), ConsumerOf(call)->MemberId()); }

// (handle, force, deliver)
napi_value Close(const Call& call) {
  ConsumerOf(call)->Close(call.Bool(1), call.Bool(2));
  return Undefined(call.env());
}

napi_value SetConsumerToken(const Call& call) { return SetToken(call, ConsumerOf(call)); }

napi_value FailConsumerToken(const Call& call) { return FailToken(call, ConsumerOf(call)); }

napi_value Reap(const Call& call) {
  Consumer* consumer = ConsumerOf(call);
  const bool reaped = consumer->Reap(call.env());
  if (reaped) consumer->Release(call.env());
  return ToJs(call.env(), reaped);
}

napi_value Abandon(const Call& call) {
  Consumer* consumer = ConsumerOf(call);
  consumer->Abandon(call.env());
  consumer->Release(call.env());
  return Undefined(call.env());
}

napi_value TakeLogs(const Call& call) { return ToJs(call.env(), ConsumerOf(call)->TakeLogs()); }

}  // namespace

void ExportConsumer(napi_env env, napi_value exports) {
  Export<Open>(env, exports, "consumerOpen");
  Export<Take>(env, exports, "consumerTake");
  Export<Rest>(env, exports, "consumerRest");
  Export<Acknowledge>(env, exports, "consumerAcknowledge");
  Export<Commit>(env, exports, "consumerCommit");
  Export<Seek>(env, exports, "consumerSeek");
  Export<Pause>(env, exports, "consumerPause");
  Export<TakeAnswers>(env, exports, "consumerTakeAnswers");
  Export<MemberId>(env, exports, "consumerMemberId");
  Export<Close>(env, exports, "consumerClose");
  Export<SetConsumerToken>(env, exports, "consumerSetToken");
  Export<FailConsumerToken>(env, exports, "consumerFailToken");
  Export<Reap>(env, exports, "consumerReap");
  Export<Abandon>(env, exports, "consumerAbandon");
  Export<TakeLogs>(env, exports, "consumerTakeLogs");
}

}  // namespace headrace
