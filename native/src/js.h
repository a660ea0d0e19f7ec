// What every door function needs: arguments decoded with checks, results built, C++ exceptions turned into JavaScript errors.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <string>
#include <vector>

namespace headrace {

// Becomes a JavaScript Error with `code`.
struct JsError {
  std::string code;
  std::string message;
};

// A JavaScript exception is already pending.
struct JsPending {};

// Throws JsPending or JsError unless `status` is napi_ok.
void Check(napi_env env, napi_status status);

struct Bytes {
  uint8_t* data;
  size_t length;
};

// The arguments of one call. Each getter throws JsError if the argument has another type.
class Call {
 public:
  Call(napi_env env, napi_callback_info info);

  napi_env env() const { return env_; }
  napi_value At(size_t index) const;
  bool IsNull(size_t index) const;
  bool Bool(size_t index) const;
  int64_t Integer(size_t index, int64_t min, int64_t max) const;
  std::string String(size_t index) const;
  std::vector<std::string> Strings(size_t index) const;
  napi_value Function(size_t index) const;
  // Views: valid during the call only.
  Bytes Uint8s(size_t index) const;
  const int32_t* Int32s(size_t index, size_t* length) const;
  const double* Float64s(size_t index, size_t* length) const;
  const int64_t* BigInt64s(size_t index, size_t* length) const;

 private:
  const void* Typed(size_t index, napi_typedarray_type wanted, const char* name, size_t* length) const;

  static constexpr size_t kMax = 8;
  napi_env env_;
  size_t count_ = kMax;
  napi_value values_[kMax];
};

using DoorFunction = napi_value (*)(const Call& call);

// Runs a door function; no C++ exception leaves it.
napi_value Guarded(napi_env env, napi_callback_info info, DoorFunction function);

template <DoorFunction function>
napi_value Door(napi_env env, napi_callback_info info) {
  return Guarded(env, info, function);
}

template <DoorFunction function>
void Export(napi_env env, napi_value exports, const char* name) {
  napi_value value;
  Check(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, Door<function>, nullptr, &value));
  Check(env, napi_set_named_property(env, exports, name, value));
}

napi_value ToJs(napi_env env, const std::string& value);
napi_value ToJs(napi_env env, const std::vector<std::string>& values);
napi_value ToJs(napi_env env, double value);
napi_value ToJs(napi_env env, bool value);
napi_value Null(napi_env env);
napi_value Undefined(napi_env env);
napi_value Array(napi_env env, const std::vector<napi_value>& values);
// Copies of the numbers.
napi_value ToInt32Array(napi_env env, const int32_t* values, size_t length);
napi_value ToBigInt64Array(napi_env env, const int64_t* values, size_t length);

}  // namespace headrace
