// The addon's table of contents. Loading is per environment, so that several can hold the addon in one process.
#include <librdkafka/rdkafka.h>
#include <node_api.h>

#ifdef HEADRACE_STATIC_SSL
#include <openssl/crypto.h>
#endif

#include "consumer.h"
#include "js.h"
#include "process.h"
#include "producer.h"

namespace headrace {

namespace {

napi_value Version(const Call& call) { return ToJs(call.env(), std::string(rd_kafka_version_str())); }

// librdkafka's builtin.features, as one comma separated string.
napi_value Features(const Call& call) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char text[512] = "";
  size_t size = sizeof text;
  const rd_kafka_conf_res_t result = rd_kafka_conf_get(conf, "builtin.features", text, &size);
  rd_kafka_conf_destroy(conf);
  if (result != RD_KAFKA_CONF_OK) throw JsError{"ERR_NATIVE", "librdkafka does not tell its features"};
  return ToJs(call.env(), std::string(text));
}

// [name without prefix, description] of an error code.
napi_value DescribeError(const Call& call) {
  const auto code = static_cast<rd_kafka_resp_err_t>(call.Integer(0, INT32_MIN, INT32_MAX));
  return ToJs(call.env(), std::vector<std::string>{rd_kafka_err2name(code), rd_kafka_err2str(code)});
}

}  // namespace

}  // namespace headrace

NAPI_MODULE_INIT() {
  using namespace headrace;
#ifdef HEADRACE_STATIC_SSL
  // Its exit handler would free what librdkafka's threads still use when the process exits without closing them.
  OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);
#endif
  try {
    Export<Version>(env, exports, "version");
    Export<Features>(env, exports, "features");
    Export<DescribeError>(env, exports, "describeError");
    ExportProcess(env, exports);
    ExportProducer(env, exports);
    ExportConsumer(env, exports);
  } catch (const JsError& error) {
    napi_throw_error(env, error.code.c_str(), error.message.c_str());
  } catch (const JsPending&) {
  }
  return exports;
}
