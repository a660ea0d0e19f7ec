#include "js.h"

#include <cstring>
#include <exception>

namespace headrace {

namespace {

[[noreturn]] void WrongType(size_t index, const char* wanted) {
  throw JsError{"ERR_INVALID_ARG_TYPE", "argument " + std::to_string(index) + " must be " + wanted};
}

std::string StringOf(napi_env env, napi_value value, size_t index) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) WrongType(index, "a string");
  std::string text(length + 1, '\0');
  Check(env, napi_get_value_string_utf8(env, value, text.data(), text.size(), &length));
  text.resize(length);
  if (text.find('\0') != std::string::npos) {
    throw JsError{"ERR_INVALID_ARG_VALUE", "argument " + std::to_string(index) + " contains a NUL character"};
  }
  return text;
}

}  // namespace

void Check(napi_env env, napi_status status) {
  if (status == napi_ok) return;
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending || status == napi_pending_exception) throw JsPending{};
  const napi_extended_error_info* info = nullptr;
  napi_get_last_error_info(env, &info);
  throw JsError{"ERR_NATIVE", info != nullptr && info->error_message != nullptr ? info->error_message : "Node-API failed"};
}

Call::Call(napi_env env, napi_callback_info info) : env_(env) {
  // Missing arguments arrive as undefined.
  Check(env, napi_get_cb_info(env, info, &count_, values_, nullptr, nullptr));
}

napi_value Call::At(size_t index) const { return values_[index]; }

bool Call::IsNull(size_t index) const {
  napi_valuetype type;
  Check(env_, napi_typeof(env_, values_[index], &type));
  return type == napi_null;
}

bool Call::Bool(size_t index) const {
  bool value = false;
  if (napi_get_value_bool(env_, values_[index], &value) != napi_ok) WrongType(index, "a boolean");
  return value;
}

int64_t Call::Integer(size_t index, int64_t min, int64_t max) const {
  double value = 0;
  if (napi_get_value_double(env_, values_[index], &value) != napi_ok) WrongType(index, "a number");
  if (!(value >= static_cast<double>(min) && value <= static_cast<double>(max)) ||
      value != static_cast<double>(static_cast<int64_t>(value))) {
    throw JsError{"ERR_OUT_OF_RANGE", "argument " + std::to_string(index) + " must be an integer from " +
                                          std::to_string(min) + " to " + std::to_string(max)};
  }
  return static_cast<int64_t>(value);
}

std::string Call::String(size_t index) const { return StringOf(env_, values_[index], index); }

std::vector<std::string> Call::Strings(size_t index) const {
  bool is_array = false;
  Check(env_, napi_is_array(env_, values_[index], &is_array));
  if (!is_array) WrongType(index, "an array of strings");
  uint32_t length = 0;
  Check(env_, napi_get_array_length(env_, values_[index], &length));
  std::vector<std::string> strings;
  for (uint32_t i = 0; i < length; i++) {
    napi_value element;
    Check(env_, napi_get_element(env_, values_[index], i, &element));
    strings.push_back(StringOf(env_, element, index));
  }
  return strings;
}

napi_value Call::Function(size_t index) const {
  napi_valuetype type;
  Check(env_, napi_typeof(env_, values_[index], &type));
  if (type != napi_function) WrongType(index, "a function");
  return values_[index];
}

const void* Call::Typed(size_t index, napi_typedarray_type wanted, const char* name, size_t* length) const {
  bool is_typed = false;
  Check(env_, napi_is_typedarray(env_, values_[index], &is_typed));
  if (!is_typed) WrongType(index, name);
  napi_typedarray_type type;
  void* data = nullptr;
  Check(env_, napi_get_typedarray_info(env_, values_[index], &type, length, &data, nullptr, nullptr));
  if (type != wanted) WrongType(index, name);
  if (data == nullptr) *length = 0;  // Empty, or its buffer was detached.
  return data;
}

Bytes Call::Uint8s(size_t index) const {
  size_t length = 0;
  const void* data = Typed(index, napi_uint8_array, "a Uint8Array", &length);
  return {static_cast<uint8_t*>(const_cast<void*>(data)), length};
}

const int32_t* Call::Int32s(size_t index, size_t* length) const {
  return static_cast<const int32_t*>(Typed(index, napi_int32_array, "an Int32Array", length));
}

const double* Call::Float64s(size_t index, size_t* length) const {
  return static_cast<const double*>(Typed(index, napi_float64_array, "a Float64Array", length));
}

const int64_t* Call::BigInt64s(size_t index, size_t* length) const {
  return static_cast<const int64_t*>(Typed(index, napi_bigint64_array, "a BigInt64Array", length));
}

napi_value Guarded(napi_env env, napi_callback_info info, DoorFunction function) {
  try {
    return function(Call(env, info));
  } catch (const JsError& error) {
    napi_throw_error(env, error.code.c_str(), error.message.c_str());
  } catch (const JsPending&) {
  } catch (const std::exception& error) {
    napi_throw_error(env, "ERR_NATIVE", error.what());
  }
  return nullptr;
}

napi_value ToJs(napi_env env, const std::string& value) {
  napi_value result;
  Check(env, napi_create_string_utf8(env, value.data(), value.size(), &result));
  return result;
}

napi_value ToJs(napi_env env, const std::vector<std::string>& values) {
  napi_value result;
  Check(env, napi_create_array_with_length(env, values.size(), &result));
  for (size_t i = 0; i < values.size(); i++) {
    Check(env, napi_set_element(env, result, static_cast<uint32_t>(i), ToJs(env, values[i])));
  }
  return result;
}

napi_value ToJs(napi_env env, double value) {
  napi_value result;
  Check(env, napi_create_double(env, value, &result));
  return result;
}

napi_value ToJs(napi_env env, bool value) {
  napi_value result;
  Check(env, napi_get_boolean(env, value, &result));
  return result;
}

napi_value Null(napi_env env) {
  napi_value result;
  Check(env, napi_get_null(env, &result));
  return result;
}

napi_value Undefined(napi_env env) {
  napi_value result;
  Check(env, napi_get_undefined(env, &result));
  return result;
}

napi_value Array(napi_env env, const std::vector<napi_value>& values) {
  napi_value result;
  Check(env, napi_create_array_with_length(env, values.size(), &result));
  for (size_t i = 0; i < values.size(); i++) {
    Check(env, napi_set_element(env, result, static_cast<uint32_t>(i), values[i]));
  }
  return result;
}

namespace {

napi_value ToTyped(napi_env env, napi_typedarray_type type, const void* values, size_t length, size_t size) {
  void* target = nullptr;
  napi_value buffer;
  napi_value result;
  Check(env, napi_create_arraybuffer(env, length * size, &target, &buffer));
  if (length > 0) memcpy(target, values, length * size);
  Check(env, napi_create_typedarray(env, type, length, buffer, 0, &result));
  return result;
}

}  // namespace

napi_value ToInt32Array(napi_env env, const int32_t* values, size_t length) {
  return ToTyped(env, napi_int32_array, values, length, sizeof(int32_t));
}

napi_value ToBigInt64Array(napi_env env, const int64_t* values, size_t length) {
  return ToTyped(env, napi_bigint64_array, values, length, sizeof(int64_t));
}

}  // namespace headrace
