// The producer's functions as JavaScript sees them (`native/addon.ts`).
#include <algorithm>

#include "js.h"
#include "producer.h"

namespace headrace {

namespace {

constexpr napi_type_tag kProducerTag = {0x7c1e5a0be3f94d21, 0x9a6f0d8b4e217c35};

Producer* ProducerOf(const Call& call) { return static_cast<Producer*>(FromHandle(call, 0, kProducerTag)); }

// (config, reportPositions, stopOnFailure, keepLogs, wake) → handle
napi_value Open(const Call& call) {
  const ProducerOptions options = {call.Bool(1), call.Bool(2)};
  const bool keep_logs = call.Bool(3);
  const napi_value wake = call.Function(4);
  rd_kafka_conf_t* conf = ToConf(call.Strings(0), {"delivery.report.only.error", "false"});
  const auto producer = std::make_shared<Producer>(options);
  producer->Open(conf);
  const napi_value handle = ToHandle(call.env(), producer, kProducerTag);
  producer->Start(call.env(), wake, keep_logs);
  return handle;
}

// (handle, name) → topic handle
napi_value Topic(const Call& call) {
  return ToJs(call.env(), static_cast<double>(ProducerOf(call)->Topic(call.String(1))));
}

// (handle, number, size)
napi_value OpenBatch(const Call& call) {
  Producer* producer = ProducerOf(call);
  const int64_t number = call.Integer(1, 0, 9007199254740991);
  producer->OpenBatch(static_cast<double>(number), static_cast<uint32_t>(call.Integer(2, 0, INT32_MAX)));
  return Undefined(call.env());
}

// (handle, data, columns, timestamps, count, from) → how far it came
napi_value Produce(const Call& call) {
  Producer* producer = ProducerOf(call);
  const Bytes data = call.Uint8s(1);
  size_t columns_length = 0;
  const int32_t* columns = call.Int32s(2, &columns_length);
  size_t timestamps_length = 0;
  const double* timestamps = call.Float64s(3, &timestamps_length);
  const size_t most = std::min(columns_length / Chunk::kFields, timestamps_length);
  const int64_t count = call.Integer(4, 0, static_cast<int64_t>(std::min<size_t>(most, INT32_MAX)));
  const int64_t from = call.Integer(5, 0, count);
  const Chunk chunk = {data.data, data.length, columns, timestamps, static_cast<size_t>(count)};
  return ToJs(call.env(), static_cast<double>(producer->Produce(chunk, static_cast<size_t>(from))));
}

napi_value SealBatch(const Call& call) {
  ProducerOf(call)->SealBatch();
  return Undefined(call.env());
}

// (handle) → [[number, refusals, messages, partitions | null, offsets | null], …]; refusals: [index, code, message index or -1]*
napi_value TakeSettled(const Call& call) {
  const napi_env env = call.env();
  const auto batches = ProducerOf(call)->TakeSettled();
  static_assert(sizeof(Refusal) == 3 * sizeof(int32_t), "refusals are copied as numbers");
  napi_value result;
  Check(env, napi_create_array_with_length(env, batches.size(), &result));
  for (size_t i = 0; i < batches.size(); i++) {
    const Batch& batch = *batches[i];
    napi_handle_scope scope;
    Check(env, napi_open_handle_scope(env, &scope));
    const bool refused = !batch.refusals.empty();
    const bool placed = !batch.partitions.empty();
    const napi_value element = Array(
        env, {ToJs(env, batch.number),
              refused ? ToInt32Array(env, reinterpret_cast<const int32_t*>(batch.refusals.data()), batch.refusals.size() * 3)
                      : Null(env),
              refused ? ToJs(env, batch.messages) : Null(env),
              placed ? ToInt32Array(env, batch.partitions.data(), batch.partitions.size()) : Null(env),
              placed ? ToBigInt64Array(env, batch.offsets.data(), batch.offsets.size()) : Null(env)});
    Check(env, napi_set_element(env, result, static_cast<uint32_t>(i), element));
    Check(env, napi_close_handle_scope(env, scope));
  }
  return result;
}

napi_value Outstanding(const Call& call) {
  return ToJs(call.env(), static_cast<double>(ProducerOf(call)->outstanding()));
}

// (handle) → [code, fatal, message] once it has stopped, else null
napi_value Failure(const Call& call) {
  Producer* producer = ProducerOf(call);
  return producer->stopped() ? ToJs(call.env(), producer->failure()) : Null(call.env());
}

napi_value Flush(const Call& call) {
  ProducerOf(call)->Flush();
  return Undefined(call.env());
}

// (handle, step)
napi_value Transact(const Call& call) {
  ProducerOf(call)->Transact(static_cast<TransactionStep>(call.Integer(1, 0, 3)));
  return Undefined(call.env());
}

// (handle) → null while the step goes on, then [code, fatal, message, abortable]
napi_value TakeTransacted(const Call& call) {
  TransactionEnd end;
  if (!ProducerOf(call)->TakeTransacted(&end)) return Null(call.env());
  const napi_env env = call.env();
  return Array(env, {ToJs(env, static_cast<double>(end.error.code)), ToJs(env, end.error.fatal), ToJs(env, end.error.message),
                     ToJs(env, end.abortable)});
}

// (handle) → number of records
napi_value Held(const Call& call) { return ToJs(call.env(), static_cast<double>(ProducerOf(call)->Held())); }

// (handle) → [[code, fatal, message], …]
napi_value TakeErrors(const Call& call) {
  std::vector<napi_value> values;
  for (const ClientError& error : ProducerOf(call)->TakeErrors()) values.push_back(ToJs(call.env(), error));
  return Array(call.env(), values);
}

napi_value SetProducerToken(const Call& call) { return SetToken(call, ProducerOf(call)); }

napi_value FailProducerToken(const Call& call) { return FailToken(call, ProducerOf(call)); }

napi_value Close(const Call& call) {
  ProducerOf(call)->Close();
  return Undefined(call.env());
}

napi_value Reap(const Call& call) { return ToJs(call.env(), ProducerOf(call)->Reap(call.env())); }

napi_value TakeLogs(const Call& call) { return ToJs(call.env(), ProducerOf(call)->TakeLogs()); }

}  // namespace

void ExportProducer(napi_env env, napi_value exports) {
  Export<Open>(env, exports, "producerOpen");
  Export<Topic>(env, exports, "producerTopic");
  Export<OpenBatch>(env, exports, "producerOpenBatch");
  Export<Produce>(env, exports, "producerProduce");
  Export<SealBatch>(env, exports, "producerSealBatch");
  Export<TakeSettled>(env, exports, "producerTakeSettled");
  Export<Outstanding>(env, exports, "producerOutstanding");
  Export<Failure>(env, exports, "producerFailure");
  Export<Flush>(env, exports, "producerFlush");
  Export<Transact>(env, exports, "producerTransact");
  Export<TakeTransacted>(env, exports, "producerTakeTransacted");
  Export<Held>(env, exports, "producerHeld");
  Export<TakeErrors>(env, exports, "producerTakeErrors");
  Export<SetProducerToken>(env, exports, "producerSetToken");
  Export<FailProducerToken>(env, exports, "producerFailToken");
  Export<Close>(env, exports, "producerClose");
  Export<Reap>(env, exports, "producerReap");
  Export<TakeLogs>(env, exports, "producerTakeLogs");
}

}  // namespace headrace
