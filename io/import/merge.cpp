#include "eflow/io/import/merge.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/io/dataset/dataset.hpp"
#include "eflow/io/dataset/earlier_pack.hpp"
#include "eflow/io/shard/shard.hpp"

namespace eflow::io {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void differ(const fs::path& a, const fs::path& b, const char* what,
                         const std::string& of_a, const std::string& of_b) {
  throw InvalidArgument(str("[merge] ", a.string(), " and ", b.string(), " differ in ", what, ": ",
                            of_a, " and ", of_b));
}

std::string words(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += str(out.empty() ? "" : ", ", name);
  return out;
}

std::string words(const std::optional<TextSpec>& text) {
  if (!text) return "no text";
  return str(text->width, " ", text->dtype, " per token, encoder ", text->encoder, " ",
             text->encoder_hash, ", prompts ",
             text->prompts_hash ? to_hex(*text->prompts_hash) : std::string("none"));
}

std::string words(const LatentSpace& space) {
  std::string out = space.name.empty() ? "no name" : space.name;
  for (std::size_t c = 0; c < space.mean.size(); ++c) out += str(" ", space.mean[c]);
  for (std::size_t c = 0; c < space.std.size(); ++c) out += str(" ", space.std[c]);
  return out;
}

void require_equal(const Dataset& first, const Dataset& other) {
  const DatasetSpec &a = first.manifest().spec, &b = other.manifest().spec;
  const auto check = [&](const char* what, const std::string& x, const std::string& y) {
    if (x != y) differ(first.directory(), other.directory(), what, x, y);
  };
  check("shape", str(a.shape), str(b.shape));
  check("stored type", str(a.dtype), str(b.dtype));
  check("number of classes", str(a.class_count), str(b.class_count));
  check("names of classes", words(a.class_names), words(b.class_names));
  check("mapping of values", str(a.mapping.scale, " ", a.mapping.offset),
        str(b.mapping.scale, " ", b.mapping.offset));
  check("text", words(a.text), words(b.text));
  check("latent space", words(a.latent), words(b.latent));
  check("recorded sources", a.sources ? "yes" : "no", b.sources ? "yes" : "no");
  check("frames/s", str(a.fps), str(b.fps));
}

/// Makes `to` the same file as `from`. A file in the way must be that already: an interrupted merge
/// leaves such.
void place(const fs::path& from, const fs::path& to, const Hash128& index_hash) {
  if (fs::exists(to)) {
    if (fs::equivalent(from, to)) return;
    bool same = false;
    try {
      same = Shard(to, 0).index().checksum == index_hash;
    } catch (const CorruptData&) {
    }
    if (same) return;
    throw InvalidArgument(str("[merge] ", to.string(),
                              " is in the way: it is no shard of these data sets. Move it away"));
  }
  std::error_code code;
  fs::create_hard_link(from, to, code);
  if (!code) return;
  const std::string content = read_file(from, std::uint64_t{1} << 40);
  write_file_atomically(to, content);
}

}  // namespace

Manifest merge_datasets(const std::vector<fs::path>& parts, const fs::path& out) {
  std::vector<Dataset> sets;
  fs::create_directories(out);
  const FileLock lock(out / ".pack.lock");
  const bool append = fs::exists(out / kManifestName);
  if (append) sets.emplace_back(out);
  for (const fs::path& part : parts) {
    if (append && fs::equivalent(part, out))
      throw InvalidArgument(str("[merge] ", out.string(), " cannot be added to itself"));
    sets.emplace_back(part);
  }
  if (sets.size() < 2)
    throw InvalidArgument("[merge] expected at least two data sets, counting that of --out");
  Manifest all{sets.front().manifest().spec, 0, {}};
  Hash128 chain;
  for (const Dataset& set : sets) {
    require_equal(sets.front(), set);
    if (all.spec.text)
      all.spec.text->max_length =
          std::max(all.spec.text->max_length, set.manifest().spec.text->max_length);
    for (ShardEntry entry : set.manifest().shards) {
      const fs::path from = set.directory() / entry.file;
      if (&set != &sets.front() || !append) entry.file = shard_name(all.shards.size());
      if (fs::path to = out / entry.file; from != to) place(from, to, entry.index_hash);
      const std::array<Hash128, 2> link{chain, entry.index_hash};
      chain = hash128(std::as_bytes(std::span(link)));
      all.count += entry.count;
      all.shards.push_back(std::move(entry));
    }
  }
  if (all.spec.text && all.spec.text->prompts_hash &&
      !has_prompts(out, *all.spec.text->prompts_hash)) {
    const std::string prompts = read_file(sets.front().directory() / kPromptsName);
    write_file_atomically(out / kPromptsName, prompts);
  }
  all.spec.creator = "eflow data merge";
  all.spec.content_key = str("merge/1 ", to_hex(chain));
  sync_directory(out);
  write_file_atomically(out / kManifestName, to_json(all));
  std::error_code code;
  fs::remove(out / ".pack.lock", code);
  return all;
}

}  // namespace eflow::io
