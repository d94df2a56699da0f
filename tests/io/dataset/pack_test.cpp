// Packing: every axis order gives the same clips, and invalid input is rejected with the clip and
// pixel named.
#define BOOST_TEST_MODULE pack
#include "eflow/io/dataset/pack.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <limits>

#include "eflow/core/base/error.hpp"
#include "eflow/io/dataset/npy.hpp"
#include "eflow/io/dataset/synth.hpp"
#include "eflow/tests/io/io_support.hpp"

using namespace eflow;
using namespace eflow::test;
using eflow::io::Dataset;
using eflow::io::pack_npy;
using eflow::io::PackOptions;
namespace data = boost::unit_test::data;

namespace {

constexpr std::int64_t kN = 6, kC = 3, kT = 4, kH = 5, kW = 7;

std::int64_t size_of_axis(char axis) {
  switch (axis) {
    case 'N':
      return kN;
    case 'C':
      return kC;
    case 'T':
      return kT;
    case 'H':
      return kH;
    default:
      return kW;
  }
}

/// A value for every pixel that does not depend on the axis order.
double pixel(std::int64_t n, std::int64_t c, std::int64_t t, std::int64_t h, std::int64_t w) {
  return static_cast<double>((n * 31 + ((c * kT + t) * kH + h) * kW + w) % 256);
}

Shape shape_of(const std::string& layout) {
  Shape shape;
  for (const char axis : layout) shape.push_back(size_of_axis(axis));
  return shape;
}

/// Writes the array in the given axis order, with elements T(map(pixel)).
template <class T, class Map>
void write_videos(const fs::path& path, const std::string& layout, const Map& map) {
  const Shape shape = shape_of(layout);
  std::vector<T> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t k = 0; k < values.size(); ++k) {
    std::int64_t at[256] = {};
    auto rest = static_cast<std::int64_t>(k);
    for (int i = static_cast<int>(layout.size()) - 1; i >= 0; --i) {
      at[static_cast<unsigned char>(layout[static_cast<std::size_t>(i)])] = rest % shape[i];
      rest /= shape[i];
    }
    values[k] = static_cast<T>(map(pixel(at['N'], at['C'], at['T'], at['H'], at['W'])));
  }
  io::write_npy(path, dtype_of<T>(), shape, std::as_bytes(std::span(values)));
}

void write_labels(const fs::path& path, std::vector<std::int64_t> labels) {
  io::write_npy(path, DType::kI64, {static_cast<std::int64_t>(labels.size())},
                std::as_bytes(std::span(labels)));
}

const auto kIdentity = [](double v) { return v; };

struct Inputs {
  TempDir dir;
  fs::path videos = dir / "videos.npy", labels = dir / "labels.npy", out = dir / "out";
  Inputs() {
    write_videos<std::uint8_t>(videos, "NTHWC", kIdentity);
    write_labels(labels, {0, 1, 2, 0, 1, 2});
  }
};

/// Largest difference between the packed clips and pixel() / 127.5 - 1.
double worst_error(const fs::path& out) {
  const Dataset set(out);
  std::vector<float> clip(kC * kT * kH * kW);
  double worst = 0;
  for (std::int64_t n = 0; n < set.size(); ++n) {
    set.read(n, clip);
    std::size_t k = 0;
    for (std::int64_t c = 0; c < kC; ++c) {
      for (std::int64_t t = 0; t < kT; ++t) {
        for (std::int64_t h = 0; h < kH; ++h) {
          for (std::int64_t w = 0; w < kW; ++w, ++k) {
            worst = std::max(worst, std::abs(clip[k] - (pixel(n, c, t, h, w) / 127.5 - 1)));
          }
        }
      }
    }
  }
  return worst;
}

}  // namespace

BOOST_DATA_TEST_CASE(every_layout,
                     data::make({"NTHWC", "NCTHW", "NTCHW", "NHWTC", "NWHCT", "NCHWT"}), layout) {
  const Inputs in;
  write_videos<std::uint8_t>(in.videos, layout, kIdentity);
  PackOptions options;
  options.layout = layout;
  const io::PackReport report = pack_npy(in.videos, in.labels, in.out, options);
  BOOST_TEST(report.finished);
  BOOST_TEST(report.clips == kN);
  BOOST_TEST(report.layout == layout);
  BOOST_TEST(Dataset(in.out).clip_shape() == (Shape{kC, kT, kH, kW}));
  BOOST_TEST(Dataset(in.out).class_count() == 3);
  BOOST_TEST(worst_error(in.out) < 1e-6);
}

BOOST_AUTO_TEST_CASE(unambiguous_layouts_are_inferred) {
  for (const std::string layout : {"NTHWC", "NCTHW", "NTCHW"}) {
    const Inputs in;
    write_videos<std::uint8_t>(in.videos, layout, kIdentity);
    BOOST_TEST(pack_npy(in.videos, in.labels, in.out).layout == layout);
    BOOST_TEST(worst_error(in.out) < 1e-6);
  }
  const auto asked = [](const Shape& shape) {
    const std::string text =
        text_of<InvalidArgument>([&] { static_cast<void>(io::infer_layout(shape, "x.npy")); });
    return has(text, "--layout") && has(text, "x.npy");
  };
  BOOST_TEST(asked({10, 3, 3, 32, 32}));   // NCTHW or NTCHW
  BOOST_TEST(asked({10, 3, 32, 32, 3}));   // two axes of size 3
  BOOST_TEST(asked({10, 8, 32, 32, 4}));   // four channels: not pixels
  BOOST_TEST(asked({10, 16, 4, 32, 32}));  // latents
  BOOST_TEST(asked({10, 8, 32, 32}));      // grey without a channel axis
  BOOST_TEST(io::infer_layout({10, 1, 8, 32, 32}, "") == "NCTHW");
}

BOOST_AUTO_TEST_CASE(floats_of_each_range_and_dtype) {
  const auto pack_as = [](double scale, double offset, io::FloatRange range, DType stored) {
    const Inputs in;
    write_videos<float>(in.videos, "NTHWC", [&](double v) { return v / 255 * scale + offset; });
    PackOptions options;
    options.float_range = range;
    options.dtype = stored;
    static_cast<void>(pack_npy(in.videos, in.labels, in.out, options));
    BOOST_TEST(Dataset(in.out).manifest().spec.dtype == stored);
    return worst_error(in.out);
  };
  for (const auto& [stored, tolerance] :
       {std::pair{DType::kF32, 1e-6}, {DType::kBF16, 8e-3}, {DType::kU8, 1e-6}}) {
    BOOST_TEST(pack_as(2, -1, io::FloatRange::kSymmetric, stored) < tolerance);
    BOOST_TEST(pack_as(1, 0, io::FloatRange::kUnit, stored) < tolerance);
  }
  BOOST_TEST(pack_as(2, -1, io::FloatRange::kAny, DType::kF32) < 1e-6);
}

BOOST_AUTO_TEST_CASE(bad_pixels_are_named) {
  const Inputs in;
  const auto refused = [&](double bad, io::FloatRange range) {
    int count = 0;
    write_videos<double>(in.videos, "NTHWC", [&](double) { return ++count == 1000 ? bad : 0.5; });
    PackOptions options;
    options.float_range = range;
    const std::string text =
        text_of<InvalidArgument>([&] { pack_npy(in.videos, in.labels, in.out, options); });
    BOOST_CHECK_THROW(Dataset{in.out}, IoError);
    // Element 999 of [6, 4, 5, 7, 3]: 2 clips of 420, then 159 = ((1 * 5 + 2) * 7 + 4) * 3 + 0.
    return has(text, "clip 2, pixel (frame 1, row 2, column 4, channel 0)");
  };
  const double nan = std::numeric_limits<double>::quiet_NaN(),
               infinity = std::numeric_limits<double>::infinity();
  for (const io::FloatRange range :
       {io::FloatRange::kSymmetric, io::FloatRange::kUnit, io::FloatRange::kAny}) {
    BOOST_TEST(refused(nan, range));
    BOOST_TEST(refused(infinity, range));
    BOOST_TEST(refused(-1e300, range));
  }
  BOOST_TEST(refused(1.01, io::FloatRange::kSymmetric));
  BOOST_TEST(refused(-0.01, io::FloatRange::kUnit));
}

BOOST_AUTO_TEST_CASE(wrong_labels) {
  const Inputs in;
  const auto text = [&](std::vector<std::int64_t> labels, const PackOptions& options = {}) {
    write_labels(in.labels, std::move(labels));
    const std::string out =
        text_of<InvalidArgument>([&] { pack_npy(in.videos, in.labels, in.out, options); });
    BOOST_TEST(!fs::exists(in.out));
    return out;
  };
  BOOST_TEST(has(text({0, 1, 2, -1, 1, 2}), "clip 3: label -1"));
  BOOST_TEST(has(text({0, 1, 2}), "6 clips"));
  PackOptions two;
  two.class_count = 2;
  BOOST_TEST(has(text({0, 1, 0, 1, 2, 0}, two), "clip 4: label 2"));
  PackOptions names;
  names.class_names = {"a", "b"};
  BOOST_TEST(has(text({0, 1, 0, 1, 2, 0}, names), "label 2"));
  names.class_count = 5;
  BOOST_TEST(has(text({0, 1, 0, 1, 2, 0}, names), "class names"));
  BOOST_TEST(has(text({0, 0, 0, 0, 0, std::int64_t{1} << 40}), "classes"));
  io::write_npy(in.labels, DType::kF32, {kN}, Bytes(24));
  BOOST_CHECK_THROW(pack_npy(in.videos, in.labels, in.out), InvalidArgument);
  BOOST_CHECK_THROW(pack_npy(in.videos, in.dir / "none.npy", in.out), IoError);
  BOOST_CHECK_THROW(pack_npy(in.labels, in.labels, in.out), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(impossible_labels_and_names) {
  const Inputs in;
  const auto text = [&](std::int64_t label) {
    write_labels(in.labels, {0, 1, label, 0, 1, 2});
    return text_of<InvalidArgument>([&] { pack_npy(in.videos, in.labels, in.out); });
  };
  for (const std::int64_t label :
       {std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::max() - 1,
        std::int64_t{1} << 32, std::int64_t{1} << 20, std::int64_t{-1},
        std::numeric_limits<std::int64_t>::min()}) {
    const std::string found = text(label);
    BOOST_TEST(has(found, "clip 2: label " + std::to_string(label)), found);
    BOOST_TEST(has(found, "np.unique"), found);
  }
  write_labels(in.labels, {0, 1, 2, 0, 1, 2});
  PackOptions names;
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
           {"a", "b", "a"}, {"a", "", "b"}, {"a", "b", "caf\xe9"}}) {
    names.class_names = wrong;
    BOOST_CHECK_THROW(pack_npy(in.videos, in.labels, in.out, names), InvalidArgument);
  }
  BOOST_TEST(!fs::exists(in.out));
}

BOOST_AUTO_TEST_CASE(the_meaning_of_floats_is_asked_unless_it_is_clear) {
  const Inputs in;
  const auto report = [&](double scale, double offset) {
    write_videos<float>(in.videos, "NTHWC", [&](double v) { return v * scale + offset; });
    return pack_npy(in.videos, in.labels, in.out);
  };
  const auto text = [&](double scale, double offset) {
    const std::string out = text_of<io::AmbiguousArray>([&] { report(scale, offset); });
    BOOST_TEST(!fs::exists(in.out));
    return out;
  };
  BOOST_TEST(has(text(1 / 255.0, 0), "--range unit or --range symmetric"));
  BOOST_TEST(has(text(0, 0), "--range unit or --range symmetric"));
  BOOST_TEST(has(text(1, 0), "array / 255"));
  BOOST_TEST(has(text(200, 0), "array / 65535"));
  BOOST_TEST(has(text(1000, 0), "array / array.max()"));
  BOOST_TEST(has(text(1, -128), "--range symmetric"));
  const io::PackReport symmetric = report(2 / 255.0, -1);
  BOOST_TEST(symmetric.finished);
  BOOST_TEST((symmetric.guessed_range == io::FloatRange::kSymmetric));
  BOOST_TEST(worst_error(in.out) < 1e-6);
  PackOptions given;
  given.float_range = io::FloatRange::kSymmetric;  // what was guessed may be said: the same set
  const io::PackReport again = pack_npy(in.videos, in.labels, in.out, given);
  BOOST_TEST(again.already_there);
  BOOST_TEST(!again.guessed_range.has_value());
}

/// Bad input is found before --overwrite removes anything.
BOOST_AUTO_TEST_CASE(overwriting_begins_after_the_input_was_checked) {
  const Inputs in;
  static_cast<void>(pack_npy(in.videos, in.labels, in.out));
  const auto before = snapshot(in.out);
  PackOptions over;
  over.foreign = io::ForeignFiles::kOverwrite;
  over.float_range = io::FloatRange::kUnit;
  write_videos<float>(in.videos, "NTHWC", [](double v) { return v / 250; });
  BOOST_CHECK_THROW(pack_npy(in.videos, in.labels, in.out, over), InvalidArgument);
  BOOST_TEST((snapshot(in.out) == before));
  write_videos<float>(in.videos, "NTHWC", [](double v) { return v / 255; });
  BOOST_CHECK_THROW(
      [&] {
        PackOptions keep = over;
        keep.foreign = io::ForeignFiles::kRefuse;
        pack_npy(in.videos, in.labels, in.out, keep);
      }(),
      InvalidArgument);
  BOOST_TEST((snapshot(in.out) == before));
  BOOST_TEST(pack_npy(in.videos, in.labels, in.out, over).finished);
  BOOST_TEST(worst_error(in.out) < 1e-6);
}

BOOST_AUTO_TEST_CASE(packing_again_repairs) {
  const Inputs in;
  PackOptions options;
  options.limits.clips = 2;
  static_cast<void>(pack_npy(in.videos, in.labels, in.out, options));
  const auto whole = snapshot(in.out);
  const auto again = [&] { return pack_npy(in.videos, in.labels, in.out, options); };
  BOOST_TEST(again().already_there);
  flip_bit(in.out / "shard-00000.h5", 700);
  fs::remove(in.out / "shard-00002.h5");
  const io::PackReport repaired = again();
  BOOST_TEST(repaired.repaired);
  BOOST_TEST(!repaired.already_there);
  BOOST_TEST(repaired.finished);
  BOOST_TEST((snapshot(in.out) == whole));
  BOOST_TEST(again().already_there);
}

BOOST_AUTO_TEST_CASE(without_labels) {
  const Inputs in;
  static_cast<void>(pack_npy(in.videos, "", in.out));
  const Dataset set(in.out);
  BOOST_TEST(set.class_count() == 0);
  BOOST_TEST(set.labels()[3] == 0);
}

BOOST_AUTO_TEST_CASE(wrong_layouts_and_dtypes) {
  const Inputs in;
  for (const char* layout : {"NTHW", "TNHWC", "NTHWX", "NTHHC", "", "NTHWCC"}) {
    PackOptions options;
    options.layout = layout;
    if (*layout)
      BOOST_CHECK_THROW(pack_npy(in.videos, in.labels, in.out, options), InvalidArgument);
  }
  PackOptions options;
  options.layout = "NTHW";
  const std::string text = text_of<InvalidArgument>(
      [&] { static_cast<void>(pack_npy(in.videos, in.labels, in.out, options)); });
  BOOST_TEST(has(text, "does not match layout NTHW; expected 4 axes"), text);
  options.layout = "";
  options.dtype = DType::kF32;
  BOOST_CHECK_THROW(pack_npy(in.videos, in.labels, in.out, options), InvalidArgument);
  options.dtype = DType::kU8;
  options.float_range = io::FloatRange::kAny;
  write_videos<float>(in.videos, "NTHWC", [](double) { return 0.0; });
  BOOST_CHECK_THROW(pack_npy(in.videos, in.labels, in.out, options), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(stopping_and_going_on) {
  const Inputs in;
  PackOptions options;
  options.limits.clips = 2;
  static_cast<void>(pack_npy(in.videos, in.labels, in.dir / "whole", options));

  std::stop_source stop;
  options.stop = stop.get_token();
  options.progress = [&](std::int64_t done, std::int64_t total) {
    BOOST_TEST(total == kN);
    if (done == 3) stop.request_stop();
  };
  const io::PackReport stopped = pack_npy(in.videos, in.labels, in.out, options);
  BOOST_TEST(!stopped.finished);
  BOOST_TEST(stopped.clips == 3);
  BOOST_CHECK_THROW(Dataset{in.out}, IoError);
  BOOST_TEST(
      !pack_npy(in.videos, in.labels, in.out, options).finished);  // stopped before it begins

  options.stop = {};
  options.progress = {};
  const io::PackReport rest = pack_npy(in.videos, in.labels, in.out, options);
  BOOST_TEST(rest.finished);
  BOOST_TEST(rest.continued_from == 2);
  BOOST_TEST((snapshot(in.out) == snapshot(in.dir / "whole")));
  BOOST_TEST(pack_npy(in.videos, in.labels, in.out, options).already_there);

  write_labels(in.labels, {2, 1, 2, 0, 1, 2});  // different content than the existing data set
  const auto before = snapshot(in.out);
  BOOST_CHECK_THROW(pack_npy(in.videos, in.labels, in.out, options), InvalidArgument);
  BOOST_TEST((snapshot(in.out) == before));
}

BOOST_AUTO_TEST_CASE(any_source) {
  const TempDir dir;
  const io::SynthShapes shapes({.frames = 2, .size = 8, .split = io::SynthSplit::kHeldOut});
  const io::PackReport report = io::pack_source(shapes, dir / "out", "synth-2-8");
  BOOST_TEST(report.finished);
  const Dataset set(dir / "out");
  BOOST_TEST(set.size() == shapes.size());
  BOOST_TEST(set.class_names() == shapes.class_names());
  std::vector<float> packed(3 * 2 * 8 * 8), original(packed.size());
  for (const std::int64_t i : {0, 7, 53}) {
    BOOST_TEST(set.read(i, packed) == shapes.read(i, original));
    for (std::size_t k = 0; k < packed.size(); ++k) {
      BOOST_REQUIRE(std::abs(packed[k] - original[k]) <= 1.0 / 255 + 1e-6);
    }
  }
}
