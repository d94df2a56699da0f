#include "eflow/nn/attention/attention_options.hpp"

#include "eflow/core/base/named_enum.hpp"

namespace eflow::nn {

std::string_view name_of(AttentionKind kind) {
  return enum_name(kind, kAttentionNames);
}
std::string_view name_of(GateKind kind) {
  return enum_name(kind, kGateNames);
}
std::string_view name_of(WindowIndex index) {
  return enum_name(index, kWindowIndexNames);
}
AttentionKind attention_kind(std::string_view name) {
  return enum_from_name<AttentionKind>("attention", name, kAttentionNames);
}
GateKind gate_kind(std::string_view name) {
  return enum_from_name<GateKind>("gates", name, kGateNames);
}
WindowIndex window_index(std::string_view name) {
  return enum_from_name<WindowIndex>("window_index", name, kWindowIndexNames);
}

bool is_glga(AttentionKind kind) {
  switch (kind) {
    case AttentionKind::kWindow:
    case AttentionKind::kLinear:
    case AttentionKind::kSum:
    case AttentionKind::kGated:
      return true;
    case AttentionKind::kSoftmax:
    case AttentionKind::kSana:
    case AttentionKind::kSla:
    case AttentionKind::kVsa:
      return false;
  }
  return false;
}

bool can_be_causal(AttentionKind kind) {
  return kind == AttentionKind::kSoftmax || is_glga(kind);
}

bool can_be_divided(AttentionKind kind) {
  return can_be_causal(kind) || kind == AttentionKind::kSana;
}

}  // namespace eflow::nn
