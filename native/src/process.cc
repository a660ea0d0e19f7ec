#include "process.h"

#include <unistd.h>

#include <csignal>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "js.h"

namespace headrace {

namespace {

// The kernel kills this process when the thread that forked it ends. A parent that was gone before the call is noticed by its pid;
// then there is nothing left to do but to go, too. false: this system cannot do it.
napi_value DieWithParent(const Call& call) {
  const auto expected = static_cast<pid_t>(call.Integer(0, 1, INT32_MAX));
#ifdef __linux__
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return ToJs(call.env(), false);
  if (getppid() != expected) _exit(1);
  return ToJs(call.env(), true);
#else
  (void)expected;
  return ToJs(call.env(), false);
#endif
}

}  // namespace

void ExportProcess(napi_env env, napi_value exports) { Export<DieWithParent>(env, exports, "dieWithParent"); }

}  // namespace headrace
