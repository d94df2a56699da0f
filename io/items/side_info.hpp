#pragma once
// Captions, labels and originals' properties that stand next to a clip: in a .txt or .json file of
// the same name, or in the metadata of a .safetensors file. Internal to io.

#include <map>
#include <string>
#include <string_view>

#include "eflow/io/items/item.hpp"

namespace eflow::io {

/// Adds one caption for each line that is not blank. Throws InvalidArgument unless `text` is UTF-8.
void add_text_info(std::string_view text, const std::string& where, Item& item);

/// Adds what a JSON object says: "captions" (strings) or "caption", "text" or "prompt" (a string);
/// "label", "class" or "cls" (an integer, or the name of a class); "fps", "width", "height",
/// "frames". Other keys are ignored. Throws CorruptData, InvalidArgument.
void add_json_info(std::string_view text, const std::string& where, Item& item);

/// The same from the metadata of .safetensors, whose values are strings; "captions" is a JSON array.
/// Also "latent_space" and "normalised" ("true" or "false").
void add_metadata_info(const std::map<std::string, std::string>& metadata, const std::string& where,
                       Item& item);

}  // namespace eflow::io
