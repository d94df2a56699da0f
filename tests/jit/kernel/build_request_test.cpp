// Include scanning, closures of embedded and added texts, canonical requests and their keys.
#define BOOST_TEST_MODULE build_request
#include "eflow/jit/kernel/build_request.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <clocale>
#include <fstream>
#include <functional>
#include <set>

#include "eflow/core/base/error.hpp"
#include "eflow/jit/kernel/include_scan.hpp"
#include "eflow/tests/support/temp_dir.hpp"

using namespace eflow;
using namespace eflow::jit;
namespace data = boost::unit_test::data;

BOOST_AUTO_TEST_CASE(plain_includes_are_found) {
  const auto found = scan_includes(
      "x.h",
      "#pragma once\n#include \"eflow/kernels_src/tile/pack.h\"  // why\n/* #include \"no.h\" */\n"
      "// #include <no>\nconst char* s = \"/*\";\n#include \"args/x.h\"\n");
  BOOST_TEST(found == (std::vector<std::string>{"eflow/kernels_src/tile/pack.h", "args/x.h"}),
             boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(
    unusual_includes_are_rejected,
    data::make({"#include <cmath>", "# include \"a.h\"", "#include\"a.h\"", "#include \"../a.h\"",
                "#include \"./a.h\"", "#include \"/etc/a.h\"", "#include NAME", "#inc\\\nlude <a>",
                "/* */ #include <a>", "%:include \"a.h\"", "#include_next \"a.h\"",
                "#import \"a.h\"", "#if __has_include(\"a.h\")\n#endif", "int d = __COUNTER__;",
                "const char* t = __DATE__ __TIME__;", "#include \"A.h\"", "#include \"a//b.h\""}),
    text) {
  BOOST_CHECK_EXCEPTION(
      (void)scan_includes("bad.h", str("\n\n", text, "\n")), CompileError, [](const Error& e) {
        return std::string_view(e.what()).find("bad.h:3") != std::string_view::npos;
      });
}

BOOST_AUTO_TEST_CASE(embedded_closure_is_complete) {
  const KernelTexts texts;
  const auto closure = texts.closure("eflow/kernels_src/elementwise.h");
  std::set<std::string> paths;
  for (const TextFile& f : closure->files) paths.insert(f.path);
  for (const char* path :
       {"eflow/kernels_src/elementwise.h", "eflow/kernels_src/args/elementwise.h",
        "eflow/kernels_src/tile/pack.h", "eflow/kernels_src/tile/cpu/pack.h",
        "eflow/kernels_src/tile/base/types.h"}) {
    BOOST_TEST(paths.contains(path), path);
  }
  BOOST_TEST(!paths.contains("eflow/kernels_src/gemm/gemm.h"));
  BOOST_TEST(texts.closure("eflow/kernels_src/elementwise.h") == closure);
  for (const TextFile& f : embedded_texts()) BOOST_TEST(!texts.closure(f.path)->files.empty());
}

BOOST_AUTO_TEST_CASE(users_texts) {
  KernelTexts texts;
  texts.add("acme/a.h", "#include \"acme/b.h\"\n");
  BOOST_CHECK_EXCEPTION((void)texts.closure("acme/a.h"), CompileError, [](const Error& e) {
    return std::string_view(e.what()).find("acme/a.h -> acme/b.h: no text") !=
           std::string_view::npos;
  });
  texts.add("acme/b.h", "int b;\n");
  texts.add("acme/b.h", "int b;\n");
  BOOST_TEST(texts.closure("acme/a.h")->files.size() == 3u);  // with kArgumentTypesText
  BOOST_CHECK_THROW(texts.add("acme/b.h", "int c;\n"), InvalidArgument);
  BOOST_CHECK_THROW(texts.add("eflow/kernels_src/gemm/gemm.h", "int c;\n"), InvalidArgument);
  BOOST_CHECK_THROW(texts.add("../gemm.h", "int c;\n"), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(a_directory_stands_before_the_embedded_texts) {
  const test::TempDir dir;
  std::filesystem::create_directories(dir.path() / "tile/base");
  std::ofstream(dir.path() / "tile/base/types.h") << "// changed\n";
  const KernelTexts plain, changed(dir.path());
  BOOST_TEST((plain.closure("eflow/kernels_src/gemm/gemm.h")->content !=
              changed.closure("eflow/kernels_src/gemm/gemm.h")->content));
  BOOST_TEST((plain.closure("eflow/kernels_src/args/gemm.h")->content ==
              changed.closure("eflow/kernels_src/args/gemm.h")->content));
}

namespace {

BuildRequest sample() {
  BuildRequest r;
  r.name = "gemm";
  r.spec = KernelSpec("gemm", {DType::kF32, DType::kBF16}, {1, 2, 3});
  r.target = {Backend::kCuda, "sm_90a"};
  r.program = make_program(r.target.backend,
                           {"gemm", "eflow/kernels_src/gemm/gemm.h", "gemm<float, bf16>"});
  r.texts = KernelTexts().closure("eflow/kernels_src/gemm/gemm.h");
  r.toolchain = "nvrtc 13.0";
  r.options = {"-a", "-b"};
  return r;
}

Key key(const BuildRequest& r) {
  return key_of(r.canonical_bytes());
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_field_is_in_the_key) {
  const std::vector<std::function<void(BuildRequest&)>> changes = {
      [](BuildRequest& r) { r.name += 'x'; },
      [](BuildRequest& r) { r.spec.text ^= 1; },
      [](BuildRequest& r) { r.spec.dtypes[0] = 3; },
      [](BuildRequest& r) { r.spec.dtypes[3] = 0; },
      [](BuildRequest& r) { r.spec.assume = 1; },
      [](BuildRequest& r) { r.spec.constants[0] = 2; },
      [](BuildRequest& r) { r.spec.constants[11] = -1; },
      [](BuildRequest& r) { r.target.backend = Backend::kHost; },
      [](BuildRequest& r) { r.target.arch = "sm_90"; },
      [](BuildRequest& r) { r.program += ' '; },
      [](BuildRequest& r) { r.toolchain += '1'; },
      [](BuildRequest& r) {
        r.options = {"-b", "-a"};
      },
      [](BuildRequest& r) { r.options = {"-a-b"}; },
      [](BuildRequest& r) { r.options.clear(); },
      [](BuildRequest& r) {
        auto t = *r.texts;
        t.files[0].text += '\n';
        r.texts = std::make_shared<TextClosure>(t);
      },
      [](BuildRequest& r) {
        auto t = *r.texts;
        t.files[0].path += 'x';
        r.texts = std::make_shared<TextClosure>(t);
      },
      [](BuildRequest& r) {
        auto t = *r.texts;
        t.root = "x.h";
        r.texts = std::make_shared<TextClosure>(t);
      }};
  std::set<Key> keys{key(sample())};
  for (const auto& change : changes) {
    BuildRequest r = sample();
    change(r);
    keys.insert(key(r));
  }
  BOOST_TEST(keys.size() == changes.size() + 1);
}

BOOST_AUTO_TEST_CASE(the_key_depends_on_nothing_else) {
  const Key first = key(sample());
  std::setlocale(LC_ALL, "de_DE.UTF-8");
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path("/");
  ::setenv("EFLOW_SOMETHING", "1", 1);
  BOOST_TEST((key(sample()) == first));
  std::filesystem::current_path(before);
  // The encoding is a file format: changing it requires a new kSchema. XXH3 is portable, so the
  // hash of fixed bytes is a constant.
  BOOST_TEST(to_hex(key_of("eflow")).size() == 64u);
  BOOST_TEST((key_from_hex(to_hex(first)) == first));
}

BOOST_AUTO_TEST_CASE(requests_decode_and_cut_ones_do_not) {
  const BuildRequest r = sample();
  const std::string bytes = r.canonical_bytes();
  const auto back = BuildRequest::decode(bytes);
  BOOST_REQUIRE(back.has_value());
  BOOST_TEST(back->canonical_bytes() == bytes);
  BOOST_TEST(bytes.starts_with(r.portable_bytes()));
  for (std::size_t cut = 0; cut < bytes.size(); cut += 97)
    BOOST_TEST(!BuildRequest::decode(bytes.substr(0, cut)));
  BOOST_TEST(!BuildRequest::decode(bytes + "x"));
}
