// Types of arguments: what is known of a struct, which launches pass, and what an error says.
#define BOOST_TEST_MODULE argument_types
#include "eflow/jit/arguments/argument_types.hpp"

#include <boost/test/unit_test.hpp>
#include <cstddef>

#include "eflow/jit/kernel/builtin.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/kernels_src/args/tokens.h"
#include "eflow/tests/support/temp_dir.hpp"

using namespace eflow;
using namespace eflow::jit;

namespace {

enum class Mode : int { kOne };
struct Inner {
  float a;
  int b;
};
struct Everything {
  const float* x;
  bfloat16* y;
  const bfloat16* z;
  void* v;
  const void* w;
  long long n[3];
  float s;
  Inner inner;
  Mode mode;
  bool flag;
  double d;
  unsigned u;
  bfloat16 h;
  float** table;
  const std::byte* bytes;
  std::size_t last = 3;
};

constexpr const char* kText =
    "#pragma once\n"
    "#include \"eflow/kernels_src/tile/pack.h\"\n"
    "namespace EFLOW_TEXT {\n"
    "template <class T> struct Axpy { const T* x; T* y; Index n; float a; };\n"
    "template <class T>\n"
    "void axpy(const Block&, const Axpy<T>& a) {\n"
    "  each<float>(0, a.n, [&](auto i) {\n"
    "    store(a.y, i, load<float>(a.y, i) + a.a * load<float>(a.x, i)); });\n"
    "}\n"
    "}\n";

/// The fields of the text's struct.
template <class X, class Y, class N, class A>
struct Four {
  X x;
  Y y;
  N n;
  A a;
};

struct Session {
  test::TempDir dir;
  Runtime runtime{[&] {
    Options o;
    o.cache.named = dir / "cache";
    o.threads = 1;
    return o;
  }()};
  KernelSpec f32{"axpy", {DType::kF32}}, bf16{"axpy", {DType::kBF16}};
  std::vector<float> x = {1, 2, 3}, y = {10, 20, 30};
  std::vector<bfloat16> half{3};

  Session() {
    runtime.add_text("acme/axpy.h", kText);
    runtime.define({"axpy", "acme/axpy.h", "axpy<$t0>"});
    for (const Prepared& p : runtime.prepare({{"axpy", f32}, {"axpy", bf16}}))
      BOOST_REQUIRE_MESSAGE(p.ok(), p.error);
  }

  /// The error of a launch; empty: there was none.
  template <class Args>
  std::string launch(const KernelSpec& spec, const Args& args) {
    try {
      runtime.launch("axpy", spec, {}, args);
    } catch (const InvalidArgument& e) {
      return e.what();
    }
    return "";
  }
};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_fields_of_a_struct_are_known) {
  BOOST_TEST(
      to_string(kArgumentTypes<Everything>) ==
      "(const f32*, bf16*, const bf16*, void*, const void*, i64, i64, i64, f32, struct, i32, "
      "bool, f64, u32, struct, void*, const void*, u64)");
  struct None {};
  BOOST_TEST(to_string(kArgumentTypes<None>) == "()");
  struct Many {
    float values[100];
  };
  BOOST_TEST(to_string(kArgumentTypes<Many>) == "unknown");
  struct Closed {
    explicit Closed(int n) : n_(n) {}
    int n_;
  };
  BOOST_TEST(to_string(kArgumentTypes<Closed>) == "unknown");
}

BOOST_AUTO_TEST_CASE(types_are_found_in_ptx_and_in_an_image) {
  const ArgumentTypes& known = kArgumentTypes<Everything>;
  std::string bytes(reinterpret_cast<const char*>(&known), sizeof known);
  BOOST_TEST(to_string(argument_types_of("ELF " + bytes + " more")) == to_string(known));
  std::string ptx = ".global .align 1 .b8 eflow_argument_types[57] = {";
  for (std::size_t i = 0; i < 8u + 1u + known.count; ++i)
    ptx += (i == 0 ? "" : ", ") + std::to_string(static_cast<unsigned char>(bytes[i]));
  BOOST_TEST(to_string(argument_types_of(ptx + "};\n.visible .entry")) == to_string(known));
  for (const std::string& without :
       {std::string(), std::string("image"), ptx.substr(0, 40), "EFLWARGS" + std::string(3, '\1')})
    BOOST_TEST(to_string(argument_types_of(without)) == "unknown");
}

BOOST_AUTO_TEST_CASE(a_launch_of_the_right_types_runs) {
  Session s;
  BOOST_TEST(to_string(s.runtime.argument_types(s.f32)) == "(const f32*, f32*, i64, f32)");
  const Four<const float*, float*, long, float> exact{s.x.data(), s.y.data(), 3, 2};
  BOOST_TEST(s.launch(s.f32, exact) == "");
  BOOST_TEST(s.y[2] == 36);
  const Four<void*, void*, long long, float> untyped{s.x.data(), s.y.data(), 3, 2};
  BOOST_TEST(s.launch(s.f32, untyped) == "");
  const Four<float*, float*, long long, float> not_const{s.x.data(), s.y.data(), 3, 2};
  BOOST_TEST(s.launch(s.f32, not_const) == "");
  const Four<bfloat16*, bfloat16*, long long, float> halves{s.half.data(), s.half.data(), 3, 2};
  BOOST_TEST(s.launch(s.bf16, halves) == "");
}

BOOST_AUTO_TEST_CASE(a_wrong_type_is_an_error_that_names_it) {
  Session s;
  const Four<const float*, const float*, long, float> constant{s.x.data(), s.y.data(), 3, 2};
  BOOST_TEST(s.launch(s.f32, constant) ==
             "[jit] axpy<f32>(): argument 2 is f32* in the text and const f32* in the launch; the "
             "text takes (const f32*, f32*, i64, f32), the launch passes (const f32*, const f32*, "
             "i64, f32)");
  const Four<const float*, float*, long, int> number{s.x.data(), s.y.data(), 3, 2};
  BOOST_TEST(contains(s.launch(s.f32, number), "argument 4 is f32 in the text and i32 in"));
  const Four<const float*, float*, double, float> count{s.x.data(), s.y.data(), 3, 2};
  BOOST_TEST(contains(s.launch(s.f32, count), "argument 3 is i64 in the text and f64 in"));
  const Four<const float*, float*, long, float> of_f32{s.x.data(), s.y.data(), 3, 2};
  BOOST_TEST(
      contains(s.launch(s.bf16, of_f32), "argument 1 is const bf16* in the text and const f32*"));
  const Inner few{1, 2};
  BOOST_TEST(contains(s.launch(s.f32, few), "argument 1 is const f32* in the text and f32 in"));
  struct {
    const float* x;
    float* y;
    long n;
  } const three{s.x.data(), s.y.data(), 3};
  BOOST_TEST(contains(s.launch(s.f32, three), "argument 4 is f32 in the text and missing in"));
  BOOST_TEST(s.y == (std::vector<float>{10, 20, 30}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(types_of_built_in_kernels_are_known) {
  for (const auto& [spec, entry] : builtin_index(Isa::kBaseline)) {
    const bool known = to_string(argument_types_of(*entry)) != "unknown";
    BOOST_TEST(known == (std::string_view(entry->text) != "elementwise"),  // over 48 fields
               to_string(spec, entry->text));
  }
}

BOOST_AUTO_TEST_CASE(a_wrong_type_for_a_built_in_kernel_is_an_error_that_names_it) {
  Session s;
  const KernelSpec spec("select_rows", {DType::kF32});
  BOOST_TEST(to_string(s.runtime.argument_types(spec)) ==
             to_string(kArgumentTypes<args::SelectRows>));
  std::vector<float> out(3);
  const long long index[] = {0};
  s.runtime.launch("select_rows", spec, {},
                   args::SelectRows{s.x.data(), out.data(), nullptr, index, 1, 3, 3, 3, 1});
  BOOST_TEST(out == s.x, boost::test_tools::per_element());
  struct {  // of the same size, with the index in the place of the fill
    const void* x;
    void* y;
    const long long* index;
    double fill;
    long long rows, width, x_batch_stride, x_row_stride, rows_per_block;
  } const swapped{s.x.data(), out.data(), index, 0, 1, 3, 3, 3, 1};
  BOOST_CHECK_EXCEPTION(
      s.runtime.launch("select_rows", spec, {}, swapped), InvalidArgument,
      [](const InvalidArgument& e) {
        return contains(
            e.what(),
            "argument 4 is const i64* in the text and f64 in the launch; the text takes "
            "(const void*, void*, const void*, const i64*, ");
      });
}
