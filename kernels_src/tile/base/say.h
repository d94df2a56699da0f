#pragma once
// What a text says and requires while it is checked (EFLOW_CHECK=on or EFLOW_BACKEND=emulated).
// Otherwise both are empty.
//
//   say(block, "row ", r, ", x = ", x);       one line: text, numbers and packs. On a GPU every thread
//                                             that calls it prints one, with its element of a pack
//   require(r < a.rows, "r is not a row");    ends the launch with this message if it is false

#include "eflow/kernels_src/tile/base/types.h"

#if defined(EFLOW_CHECKED) && !defined(__CUDACC_RTC__)
#include "eflow/kernels_src/tile/base/checked.h"
#endif

namespace EFLOW_TEXT {

#if !defined(EFLOW_CHECKED)

template <class... Parts>
EFLOW_FN void say(const Block&, const Parts&...) {}
EFLOW_FN void require(bool, const char*) {}

#elif defined(__CUDACC_RTC__)

/// Room for one part in a format, and the part as printf takes it.
template <class P>
EFLOW_FN constexpr int add_format(char* to, int at) {
  const char* const format = kIsFloat<P> ? "%g" : kIsInteger<P> ? "%lld" : "%s";
  for (int i = 0; format[i] != '\0'; ++i) to[at++] = format[i];
  return at;
}
template <class P>
EFLOW_FN auto printed(const P& part) {
  if constexpr (kIsFloat<P>)
    return static_cast<double>(part);
  else if constexpr (kIsInteger<P>)
    return static_cast<long long>(part);
  else
    return static_cast<const char*>(part);
}
template <class... Parts>
struct SayFormat {
  char text[48 + 4 * sizeof...(Parts)] = "[block %lld, %lld, %lld, thread %d] ";
  EFLOW_FN constexpr SayFormat() {
    int at = 0;
    while (text[at] != '\0') ++at;
    ((at = add_format<Parts>(text, at)), ...);
    text[at++] = '\n';
    text[at] = '\0';
  }
};
template <class... Parts>
EFLOW_FN void say(const Block& block, const Parts&... parts) {
  static constexpr SayFormat<Parts...> kFormat{};
  ::printf(kFormat.text, block.x, block.y, block.z, static_cast<int>(threadIdx.x),
           printed(parts)...);
}
EFLOW_FN void require(bool condition, const char* message) {
  if (condition) return;
  ::printf("[thread %d] %s\n", static_cast<int>(threadIdx.x), message);
  asm volatile("trap;");
}

#else

EFLOW_FN void say_part(const char* text) {
  eflow_checks->say_text(text);
}
template <class V>
EFLOW_FN void say_part(const V& x) {
  if constexpr (kIsFloat<V>) {
    eflow_checks->say_number(static_cast<double>(x));
  } else if constexpr (kIsInteger<V>) {
    eflow_checks->say_integer(static_cast<long long>(x));
  } else {  // a pack
    eflow_checks->say_text("[");
    for (unsigned l = 0; l < sizeof(V) / sizeof(x[0]); ++l) {
      if (l > 0) eflow_checks->say_text(", ");
      const auto one = x[l];
      say_part<Bare<decltype(one)>>(one);
    }
    eflow_checks->say_text("]");
  }
}
template <class... Parts>
EFLOW_FN void say(const Block& block, const Parts&... parts) {
  (say_part(parts), ...);
  eflow_checks->say_end(&block);
}
EFLOW_FN void require(bool condition, const char* message) {
  if (!condition) eflow_checks->require(message);
}

#endif

}  // namespace EFLOW_TEXT
