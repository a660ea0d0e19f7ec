#pragma once

#include <node_api.h>

namespace headrace {

// dieWithParent(expectedParentPid): boolean
void ExportProcess(napi_env env, napi_value exports);

}  // namespace headrace
