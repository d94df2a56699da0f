#include "eflow/trainer/program/jit/prepare_report.hpp"

#include <algorithm>
#include <cstdio>
#include <map>

#include "eflow/core/base/error.hpp"
#include "eflow/trainer/program/jit/command_line.hpp"

namespace eflow::jit {
namespace {

/// One cell of the table: a kernel, or all kernels of a text, for one architecture.
struct Cell {
  int kernels = 0, registers = 0, spilled = 0;
  std::int64_t shared = 0;
  double most_seconds = 0;

  void add(const ReportedKernel& k) {
    ++kernels;
    registers = std::max(registers, k.resources.registers);
    spilled = std::max(spilled, k.resources.spill_stores + k.resources.spill_loads);
    shared = std::max<std::int64_t>(shared, k.resources.shared);
    most_seconds = std::max(most_seconds, k.seconds);
  }
  [[nodiscard]] std::string text() const {
    if (kernels == 0) return "-";
    return str(registers, spilled > 0 ? str(", **spills ", spilled, " B**") : std::string(), ", ",
               describe_seconds(most_seconds));
  }
};

struct Row {
  std::map<std::string, Cell> cells;  ///< by architecture
  [[nodiscard]] std::int64_t shared() const {
    std::int64_t most = 0;
    for (const auto& [arch, cell] : cells) most = std::max(most, cell.shared);
    return most;
  }
  [[nodiscard]] int kernels() const {
    int most = 0;
    for (const auto& [arch, cell] : cells) most = std::max(most, cell.kernels);
    return most;
  }
};

std::string heading(std::string_view first, const std::vector<std::string>& archs) {
  std::string names, rule;
  for (const std::string& arch : archs) {
    names += str(" ", arch, " |");
    rule += " --- |";
  }
  return str("\n| ", first, " | shared B |", names, "\n| --- | --- |", rule, "\n");
}

std::string line(const std::string& first, const Row& row, const std::vector<std::string>& archs) {
  std::string out = str("| ", first, " | ", row.shared(), " |");
  for (const std::string& arch : archs) {
    const auto cell = row.cells.find(arch);
    out += str(" ", (cell == row.cells.end() ? Cell() : cell->second).text(), " |");
  }
  return str(out, "\n");
}

}  // namespace

std::string prepare_report(const std::vector<ReportedKernel>& kernels,
                           const std::vector<std::string>& archs) {
  std::map<std::string, Row> specialised, builtin;
  std::map<std::string, double> seconds;
  int spilling = 0;
  for (const ReportedKernel& k : kernels) {
    seconds[k.arch] += k.seconds;
    spilling += k.resources.spill_stores + k.resources.spill_loads > 0;
    Row& row = k.builtin ? builtin[k.text] : specialised[to_string(k.kernel.spec, k.kernel.name)];
    row.cells[k.arch].add(k);
  }
  std::string out = str(kernels.size(), " kernels, ", spilling, " of which spill registers. ");
  out +=
      "Cells: registers per thread, seconds to compile; for a built-in text, the maximum over its "
      "kernels.\n";
  if (!specialised.empty()) {
    out += heading("kernel", archs);
    for (const auto& [name, row] : specialised) out += line(str("`", name, "`"), row, archs);
  }
  if (!builtin.empty()) {
    out += heading("built-in text", archs);
    for (const auto& [name, row] : builtin)
      out += line(str(name, ", ", row.kernels(), " kernels"), row, archs);
  }
  out += "\n| | sum of all compile times |\n| --- | --- |\n";
  for (const std::string& arch : archs)
    out += str("| ", arch, " | ", describe_seconds(seconds[arch]), " |\n");
  return out;
}

}  // namespace eflow::jit
