// A trace of work on the CPU, parsed as the viewers do.
#define BOOST_TEST_MODULE trace
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/trace_range.hpp"
#include "eflow/tests/support/temp_dir.hpp"

using namespace eflow;

BOOST_AUTO_TEST_CASE(kernels_lie_in_their_ranges) {
  const DevicePtr device = make_cpu_device({.threads = 1});
  const Tensor x = Tensor::zeros({30, 40}, DType::kF32, device);
  const auto trace = std::make_shared<Trace>();
  static_cast<void>(exp(x));
  device->set_trace(trace);
  {
    const TraceRange outer(*device, "outer");
    const TraceRange inner(*device, "inner");
    static_cast<void>(exp(x));
    static_cast<void>(matmul(x, transpose(x, 0, 1)));
  }
  device->set_trace(nullptr);
  static_cast<void>(exp(x));
  BOOST_TEST(trace->size() == 4u);
  BOOST_TEST(trace->kernel_counts().size() == 2u);
  BOOST_TEST(trace->kernel_counts().at("gemm<f32, f32>()") == 1);

  const test::TempDir dir;
  trace->write(dir / "trace.json");
  const auto json = nlohmann::json::parse(std::ifstream(dir / "trace.json"));
  std::map<std::string, nlohmann::json> spans;
  for (const auto& event : json.at("traceEvents")) {
    if (event.at("ph") == "X") spans[event.at("name")] = event;
  }
  BOOST_REQUIRE(spans.size() == 4u);
  const auto within = [&](const std::string& part, const std::string& whole) {
    const double begin = spans.at(part).at("ts"), seconds = spans.at(part).at("dur");
    const double from = spans.at(whole).at("ts"), length = spans.at(whole).at("dur");
    return begin >= from && begin + seconds <= from + length + 0.002;  // rounded to nanoseconds
  };
  BOOST_TEST(within("inner", "outer"));
  for (const auto& [name, span] : spans) {
    BOOST_TEST(within(name, "outer"), name);
    BOOST_TEST(span.at("dur").get<double>() >= 0);
  }
  BOOST_TEST(spans.contains("gemm<f32, f32>()"));
}
