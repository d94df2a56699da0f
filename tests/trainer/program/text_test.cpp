// Text to video through the program: captions are packed, trained on, resumed bit for bit, sampled
// by prompt and judged by attributes; what does not fit is refused.
#define BOOST_TEST_MODULE text
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "eflow/io/arrays/safetensors.hpp"
#include "eflow/io/dataset/npy.hpp"
#include "eflow/tests/trainer/program/expectations.hpp"
#include "eflow/tests/trainer/program/program.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"

using namespace eflow;

namespace {

constexpr std::int64_t kClips = 24, kWidth = 6;

std::span<const std::byte> bytes_of(const auto& values) {
  return std::as_bytes(std::span(values.data(), values.size()));
}

/// Writes a table with one caption of 2 + i % 3 tokens per clip, a null and a negative prompt.
void write_table(const std::filesystem::path& path, std::int64_t captions, std::int64_t width) {
  std::vector<float> embeddings, null(static_cast<std::size_t>(width), 0.5f),
      dull(static_cast<std::size_t>(2 * width), -0.5f);
  std::vector<std::int64_t> ends, caption_ends;
  std::string text;
  for (std::int64_t i = 0; i < captions; ++i) {
    for (std::int64_t e = 0; e < (2 + i % 3) * width; ++e)
      embeddings.push_back(static_cast<float>((i * 7 + e * 3) % 11) / 5 - 1);
    ends.push_back(static_cast<std::int64_t>(embeddings.size()) / width);
    text += "clip " + std::to_string(i);
    caption_ends.push_back(static_cast<std::int64_t>(text.size()));
  }
  const auto size = [](const auto& v) { return static_cast<std::int64_t>(v.size()); };
  io::write_safetensors(path,
                        {{"embeddings", "F32", {ends.back(), width}, bytes_of(embeddings)},
                         {"ends", "I64", {captions}, bytes_of(ends)},
                         {"captions", "U8", {size(text)}, bytes_of(text)},
                         {"caption_ends", "I64", {captions}, bytes_of(caption_ends)},
                         {"null", "F32", {1, width}, bytes_of(null)},
                         {"negative.dull", "F32", {2, width}, bytes_of(dull)}},
                        {{"encoder", "E"}, {"max_length", "5"}});
}

/// Clips, a table of captions, attributes, and the packed set of them.
struct WithText : TemporaryFolder {
  WithText() {
    std::vector<std::uint8_t> values(kClips * 4 * 16 * 16 * 3);
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<std::uint8_t>(i * 31 % 251 + i / 3072 % 4);
    io::write_npy(path() / "videos.npy", DType::kU8, {kClips, 4, 16, 16, 3}, bytes_of(values));
    write_table(path() / "text.safetensors", kClips, kWidth);
    std::vector<std::int64_t> attributes;
    for (std::int64_t i = 0; i < kClips; ++i) attributes.insert(attributes.end(), {i % 2, i % 3});
    io::write_npy(path() / "attributes.npy", DType::kI64, {kClips, 2}, bytes_of(attributes));
    std::ofstream(path() / "names.json") << R"({"hair": ["red", "blue"], "act": ["a", "b", "c"]})";
    done("data pack --videos " + in("videos.npy") + " --text " + in("text.safetensors") +
         " --out " + in("set"));
  }
  [[nodiscard]] std::string in(const std::string& name) const { return (path() / name).string(); }
  [[nodiscard]] std::string train(const std::string& run, const std::string& more = "") const {
    return "train --config " EFLOW_CONFIGS
           "/tiny.ini --model.condition=text --sample.every=6 --data " +
           in("set") + " --out " + in(run) + " --train.iterations=6 --checkpoint.every=3 " +
           "--optim.warmup=2 " + more;
  }
};

/// The losses of a run, as they are written.
std::vector<std::string> losses_of(const std::filesystem::path& run) {
  std::vector<std::string> out;
  std::istringstream text(content_of(run / "metrics.jsonl"));
  for (std::string line; std::getline(text, line);) {
    const auto json = nlohmann::json::parse(line);
    out.push_back(json.at("loss").dump() + " " + json.at("grad_norm").dump());
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_text_model_trains_resumes_and_samples_by_prompt) {
  const WithText folder;
  const std::string info = done("data info " + folder.in("set"));
  BOOST_TEST(contains(info,
                      "text        24 captions, 6 f32 per token, 3 tokens on average, at "
                      "most 4, padded to 5"));
  BOOST_TEST(contains(info, "prompts     dull null"));
  done("data verify " + folder.in("set"));

  done(folder.train("run", "--guidance.kind=null --objective.label_drop=0.3"));
  BOOST_TEST(std::filesystem::exists(folder.path() / "run/samples/step-6.png"));
  done(folder.train("again", "--guidance.kind=null --objective.label_drop=0.3 --resume " +
                                 folder.in("run/checkpoints/step-00000003")));
  const auto whole = losses_of(folder.path() / "run"), rest = losses_of(folder.path() / "again");
  BOOST_TEST(whole.size() == 6u);
  BOOST_TEST(rest.size() == 3u);
  BOOST_TEST((rest == std::vector<std::string>(whole.begin() + 3, whole.end())));

  const std::string sample = "sample --run " + folder.in("run") + " --steps 2 --out ";
  const std::string prompts = " --prompts " + folder.in("text.safetensors");
  done(sample + folder.in("all") + prompts);
  const io::NpyFile all(folder.path() / "all/samples.npy");
  BOOST_TEST(all.rows() == kClips);
  BOOST_TEST(contains(content_of(folder.path() / "all/captions.txt"), "clip 0\nclip 1\n"));
  // The captions of the packed set are the same prompts.
  done(sample + folder.in("packed") + " --prompts " + folder.in("set"));
  BOOST_TEST(content_of(folder.path() / "all/samples.npy") ==
             content_of(folder.path() / "packed/samples.npy"));
  // One caption; other prompts give other clips from the same noise.
  done(sample + folder.in("one") + prompts + " --caption 'clip 3' --count 2");
  done(sample + folder.in("other") + prompts + " --caption 'clip 5' --count 2");
  BOOST_TEST(content_of(folder.path() / "one/captions.txt") == "clip 3\nclip 3\n");
  const std::string one = content_of(folder.path() / "one/samples.npy");
  BOOST_TEST(one != content_of(folder.path() / "other/samples.npy"));
  // Away from the empty caption, and from a negative prompt.
  const std::string steered = prompts + " --caption 'clip 3' --count 2 --steer 2";
  done(sample + folder.in("steered") + steered);
  done(sample + folder.in("negative") + steered + " --negative dull");
  done(sample + folder.in("null") + steered + " --negative null");
  const std::string away = content_of(folder.path() / "steered/samples.npy");
  BOOST_TEST(away != one);
  BOOST_TEST(away != content_of(folder.path() / "negative/samples.npy"));
  BOOST_TEST(away == content_of(folder.path() / "null/samples.npy"));
}

BOOST_AUTO_TEST_CASE(samples_are_judged_by_what_their_captions_say) {
  const WithText folder;
  done(folder.train("run"));
  const std::string attributes = " --attributes " + folder.in("attributes.npy") +
                                 " --attribute-names " + folder.in("names.json");
  const std::string features =
      done("eval train-features --data " + folder.in("set") + " --out " + folder.in("features") +
           " --iterations 3 --batch 4" + attributes);
  BOOST_TEST(contains(features, "hair "));
  const std::string eval =
      "eval --run " + folder.in("run") + " --features " + folder.in("features");
  const std::string prompts = " --prompts " + folder.in("text.safetensors");
  const auto json =
      nlohmann::json::parse(done(eval + prompts + attributes + " --steps 1 --json --count 12"));
  BOOST_TEST(json.at("samples") == 12);
  BOOST_TEST(json.at("attributes").at("act").at("asked").dump() == "[4,4,4]");
  BOOST_TEST(contains(done(eval + prompts + attributes + " --steps 1"), "of 24 samples"));
  refused(eval + " --steps 1", "--prompts is missing");
  refused(eval + prompts + " --steps 1", "--attributes is missing");
  refused(eval + prompts + " --attributes " + folder.in("attributes.npy"),
          "expected hair (2), act (3), found attribute 0 (2), attribute 1 (3)", 3);
}

BOOST_AUTO_TEST_CASE(the_three_stages_of_t2v_are_one_run_through_kills) {
  const WithText folder;
  // Latents of the layout that t2v.ini expects, with images as first frames, at a small size.
  std::vector<float> latents(12 * 16 * 3 * 8 * 8);
  for (std::size_t i = 0; i < latents.size(); ++i)
    latents[i] = static_cast<float>(i * 37 % 101) / 50 - 1;
  io::write_npy(folder.path() / "latents.npy", DType::kF32, {12, 16, 3, 8, 8}, bytes_of(latents));
  write_table(folder.path() / "t5.safetensors", 12, kWidth);
  done("data pack --range any --layout NCTHW --videos " + folder.in("latents.npy") + " --text " +
       folder.in("t5.safetensors") + " --out " + folder.in("latents"));
  std::string small =
      "train --config " EFLOW_CONFIGS
      "/t2v.ini --model.dim=128 --model.heads=2 --model.encoder=1 --model.middle=1 "
      "--model.decoder=1 --data.context_length=5 --checkpoint.every=1 --checkpoint.keep=2 "
      "--sample.every=0 --eval.every=0 --train.threads=1 ";
  for (const std::string stage : {"stage1", "stage2", "stage3"}) {
    small += " --" + stage + ".train.iterations=4 --" + stage + ".train.batch=10 --" + stage +
             ".train.accumulation=2 --" + stage + ".data.dir=" + folder.in("latents");
  }
  done(small + " --out " + folder.in("whole"));
  // Killed in the second stage, then in the third, then finished by the same command.
  for (const std::string at : {"stage-2", "stage-3"}) {
    const pid_t pid = start_eflow(small + " --out " + folder.in("parts"));
    const auto lines = folder.path() / "parts" / at / "metrics.jsonl";
    for (int i = 0; i < 6000 && content_of(lines).find("\"step\":2,") == std::string::npos; ++i)
      usleep(10000);
    kill(pid, SIGKILL);
    wait_for(pid);
  }
  done(small + " --out " + folder.in("parts"));
  for (const std::string stage : {"stage-1", "stage-2", "stage-3"}) {
    const auto whole = losses_of(folder.path() / "whole" / stage);
    BOOST_TEST(whole.size() == 4u);
    BOOST_TEST(whole == losses_of(folder.path() / "parts" / stage),
               boost::test_tools::per_element());
  }
  done("sample --run " + folder.in("parts") + " --steps 1 --prompts " + folder.in("latents") +
       " --count 2 --out " + folder.in("clips"));
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused) {
  const WithText folder;
  const std::string pack =
      "data pack --videos " + folder.in("videos.npy") + " --out " + folder.in("other") + " --text ";
  write_table(folder.path() / "few.safetensors", kClips - 1, kWidth);
  refused(pack + folder.in("few.safetensors"), "captions for 23 clips, but there are 24", 3);
  refused(pack + folder.in("videos.npy"), "safetensors", 3);
  refused(pack + folder.in("none.safetensors"), "no such file", 3);
  refused(folder.train("run", "--data.context_length=3"),
          "data.context_length: [dataset] " + folder.in("set") + ": context length 3");
  done(folder.train("run", "--data.context_length=4"));
  const std::string sample = "sample --run " + folder.in("run") + " --out " + folder.in("out");
  write_table(folder.path() / "wide.safetensors", 3, kWidth + 1);
  const std::string good = " --prompts " + folder.in("text.safetensors");
  refused(sample + " --prompts " + folder.in("wide.safetensors"), "embeddings of width 7");
  refused(sample + " --prompts " + folder.in("none"), "no such file or folder", 3);
  refused(sample + good + " --caption nothing", "has no caption 'nothing'");
  refused(sample + " --caption 'clip 1'", "needs --prompts");
  refused(sample + good + " --negative dull", "--negative needs --steer and a model");
  refused(sample + good + " --label 1", "this run's model takes text of width 6");
  BOOST_TEST(contains(done(sample + " --steps 1 --count 1"), "without --prompts"));
  BOOST_TEST(!std::filesystem::exists(folder.path() / "other/manifest.json"));
}
