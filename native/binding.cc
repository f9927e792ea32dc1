// The Node-API side: engines by name, and an engine's functions bound to a memory, called with addresses in it.
// Nothing here is per process: each thread that loads the addon has functions of its own.
// Addresses and sizes are trusted, as those of the WebAssembly kernels are: a plan has computed them.

#include <node_api.h>

#include "engine.h"

namespace weightroom {

#if defined(__x86_64__)
extern const Engine kAvx512, kAvx2;
const Engine* const kEngines[] = {&kAvx512, &kAvx2, nullptr};
#elif defined(__aarch64__)
extern const Engine kNeon;
const Engine* const kEngines[] = {&kNeon, nullptr};
#endif

namespace {

/** What a bound function knows. The view keeps the memory where it is: a shared memory grows, but never moves. */
struct Bound {
  const Engine* engine;
  char* memory;
  napi_ref view;
};

void release(napi_env env, void* data, void*) {
  auto* const bound = static_cast<Bound*>(data);
  napi_delete_reference(env, bound->view);
  delete bound;
}

/** The arguments of a call: unsigned 32-bit numbers, 0 where one is missing. */
template <std::size_t count>
class Arguments {
 public:
  Arguments(napi_env env, napi_callback_info info) {
    std::size_t given = count;
    napi_value handles[count];
    void* data = nullptr;
    napi_get_cb_info(env, info, &given, handles, nullptr, &data);
    bound = static_cast<Bound*>(data);
    for (std::size_t i = 0; i < count; i++) {
      values_[i] = 0;
      napi_get_value_uint32(env, handles[i], &values_[i]);
    }
  }

  Index next() { return values_[at_++]; }
  Index nextSigned() { return static_cast<std::int32_t>(values_[at_++]); }
  bool flag() { return next() != 0; }
  float* address() { return reinterpret_cast<float*>(bound->memory + next()); }
  float* addressOrNull() { return values_[at_] ? address() : (at_++, nullptr); }

  ConvShape shape(Index channels, Index h, Index w, Index outH, Index outW) {
    ConvShape s;
    s.channels = channels, s.h = h, s.w = w, s.outH = outH, s.outW = outW;
    s.kernelH = next(), s.kernelW = next(), s.strideH = next(), s.strideW = next();
    s.top = nextSigned(), s.left = nextSigned(), s.dilationH = next(), s.dilationW = next();
    s.groups = next();
    return s;
  }

  Bound* bound;

 private:
  std::uint32_t values_[count];
  std::size_t at_ = 0;
};

/** pack(w, panels, n, k) */
napi_value pack(napi_env env, napi_callback_info info) {
  Arguments<4> given(env, info);
  const float* const w = given.address();
  float* const panels = given.address();
  const Index n = given.next(), k = given.next();
  given.bound->engine->pack(w, panels, n, k);
  return nullptr;
}

/** linear(x, panels, bias, y, m, ldy, n, k, relu) */
napi_value linear(napi_env env, napi_callback_info info) {
  Arguments<9> given(env, info);
  LinearCall call;
  call.x = given.address();
  call.panels = given.address();
  call.bias = given.addressOrNull();
  call.y = given.address();
  call.m = given.next(), call.ldy = given.next(), call.n = given.next(), call.k = given.next();
  call.relu = given.flag();
  given.bound->engine->linear(call);
  return nullptr;
}

/** conv(x, weight, bias, y, batch, ci, h, w, co, oh, ow, kh, kw, sh, sw, pt, pl, dh, dw, groups, scratch, relu) */
napi_value conv(napi_env env, napi_callback_info info) {
  Arguments<22> given(env, info);
  ConvCall call;
  call.x = given.address();
  call.weight = given.address();
  call.bias = given.addressOrNull();
  call.y = given.address();
  call.batch = given.next();
  const Index channels = given.next(), h = given.next(), w = given.next();
  call.outputs = given.next();
  const Index outH = given.next(), outW = given.next();
  call.shape = given.shape(channels, h, w, outH, outW);
  call.scratch = given.address();
  call.relu = given.flag();
  given.bound->engine->conv(call);
  return nullptr;
}

/** conv_scratch(ci, h, w, oh, ow, kh, kw, sh, sw, pt, pl, dh, dw, groups) → bytes */
napi_value convScratch(napi_env env, napi_callback_info info) {
  Arguments<14> given(env, info);
  const Index channels = given.next(), h = given.next(), w = given.next(), outH = given.next(), outW = given.next();
  const std::size_t bytes = given.bound->engine->convScratch(given.shape(channels, h, w, outH, outW));
  napi_value answer = nullptr;
  napi_create_double(env, static_cast<double>(bytes), &answer);
  return answer;
}

/** recurrence(cell, x, panels, bias, scratch, y, rows, stride, step_stride, steps, n, reverse) */
napi_value recurrence(napi_env env, napi_callback_info info) {
  Arguments<12> given(env, info);
  RecurrenceCall call;
  call.cell = given.next();
  call.x = given.address();
  call.panels = given.address();
  call.bias = given.addressOrNull();
  call.scratch = given.address();
  call.y = given.address();
  call.rows = given.next(), call.stride = given.next(), call.stepStride = given.next();
  call.steps = given.next(), call.n = given.next();
  call.reverse = given.flag();
  given.bound->engine->recurrence(call);
  return nullptr;
}

/** softmax_rows(x, y, rows, d) */
napi_value softmaxRows(napi_env env, napi_callback_info info) {
  Arguments<4> given(env, info);
  const float* const x = given.address();
  float* const y = given.address();
  const Index rows = given.next(), d = given.next();
  given.bound->engine->softmaxRows(x, y, rows, d);
  return nullptr;
}

void addFunction(napi_env env, napi_value to, const char* name, napi_callback function, const Bound& bound, napi_value view) {
  auto* const own = new Bound(bound);
  napi_create_reference(env, view, 1, &own->view);
  napi_value value;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, function, own, &value);
  napi_add_finalizer(env, value, own, release, nullptr, nullptr);
  napi_set_named_property(env, to, name, value);
}

const Engine* engineCalled(const char* name) {
  for (const Engine* const* engine = kEngines; *engine; engine++) {
    if (!__builtin_strcmp((*engine)->name, name) && (*engine)->runsHere()) return *engine;
  }
  return nullptr;
}

/** bind(engine, view): the functions of an engine of `engines`, on the memory whose first byte is the view's. */
napi_value bind(napi_env env, napi_callback_info info) {
  std::size_t given = 2, length = 0;
  napi_value arguments[2];
  napi_get_cb_info(env, info, &given, arguments, nullptr, nullptr);
  char name[16] = "";
  napi_get_value_string_utf8(env, arguments[0], name, sizeof name, nullptr);
  Bound bound{engineCalled(name), nullptr, nullptr};
  void* memory = nullptr;
  if (!bound.engine || napi_get_typedarray_info(env, arguments[1], nullptr, &length, &memory, nullptr, nullptr) != napi_ok) {
    napi_throw_type_error(env, nullptr, "bind takes the name of an engine of this machine and a view of a memory");
    return nullptr;
  }
  bound.memory = static_cast<char*>(memory);
  napi_value functions;
  napi_create_object(env, &functions);
  addFunction(env, functions, "pack", pack, bound, arguments[1]);
  addFunction(env, functions, "linear", linear, bound, arguments[1]);
  addFunction(env, functions, "conv", conv, bound, arguments[1]);
  addFunction(env, functions, "conv_scratch", convScratch, bound, arguments[1]);
  addFunction(env, functions, "recurrence", recurrence, bound, arguments[1]);
  addFunction(env, functions, "softmax_rows", softmaxRows, bound, arguments[1]);
  return functions;
}

}  // namespace
}  // namespace weightroom

NAPI_MODULE_INIT() {
  napi_value value, engines;
  napi_create_array(env, &engines);
  std::uint32_t count = 0;
  for (const weightroom::Engine* const* engine = weightroom::kEngines; *engine; engine++) {
    if (!(*engine)->runsHere()) continue;
    napi_create_string_utf8(env, (*engine)->name, NAPI_AUTO_LENGTH, &value);
    napi_set_element(env, engines, count++, value);
  }
  napi_set_named_property(env, exports, "engines", engines);
  napi_create_function(env, "bind", NAPI_AUTO_LENGTH, weightroom::bind, nullptr, &value);
  napi_set_named_property(env, exports, "bind", value);
  return exports;
}
