// Parser: text -> statements per function -> instructions, calls expanded.
#include "eflow/tests/support/ptx/program.hpp"

#include <cstring>
#include <optional>
#include <regex>
#include <stdexcept>
#include <unordered_map>

namespace eflow::ptx {
namespace {

[[noreturn]] void refuse(int line, const std::string& what) {
  throw std::runtime_error("PTX line " + std::to_string(line) + ": " + what);
}

struct Statement {
  enum class Kind { kText, kLabel, kOpen, kClose } kind;
  int line;
  std::string text;
};

bool is_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '%' ||
         c == '.';
}

/// Splits a module into statements. A function's head is a statement that ends with its body's '{'.
class Statements {
 public:
  explicit Statements(std::string_view text) : text_(text) {}

  [[nodiscard]] std::vector<Statement> all() {
    std::vector<Statement> out;
    while (skip_space()) {
      const int line = line_;
      if (text_[at_] == '{' || text_[at_] == '}') {
        out.push_back(
            {text_[at_] == '{' ? Statement::Kind::kOpen : Statement::Kind::kClose, line, ""});
        ++at_;
        continue;
      }
      out.push_back(read(line));
    }
    return out;
  }

 private:
  bool skip_space() {
    for (; at_ < text_.size(); ++at_) {
      if (text_.substr(at_, 2) == "//") at_ = std::min(text_.find('\n', at_), text_.size() - 1);
      if (text_[at_] == '\n') ++line_;
      if (std::isspace(static_cast<unsigned char>(text_[at_])) == 0 && text_[at_] != '\0')
        return true;
    }
    return false;
  }
  Statement read(int line) {
    std::string s;
    int depth = 0;
    const bool directive = text_[at_] == '.';
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (text_.substr(at_, 2) == "//") at_ = std::min(text_.find('\n', at_), text_.size() - 1);
      if (text_[at_] == '\n') ++line_;
      if (c == '(' || c == '{') ++depth;
      if (c == ')' || c == '}') --depth;
      if (c == ';') return ++at_, Statement{Statement::Kind::kText, line, s};
      const bool name = !s.empty() && s.find_first_of(" \t,(") == std::string::npos;
      if (c == ':' && name && !directive && text_.substr(at_, 2) != "::" && s.back() != ':')
        return ++at_, Statement{Statement::Kind::kLabel, line, s};
      // The head of a function, and directives without ';'.
      if (c == '{' && depth == 1 && is_head(s)) return Statement{Statement::Kind::kText, line, s};
      if (c == '\n' &&
          (s.starts_with(".version") || s.starts_with(".target") || s.starts_with(".address_size")))
        return Statement{Statement::Kind::kText, line, s};
      s += text_[at_] == '\n' ? ' ' : text_[at_];
    }
    refuse(line, "unfinished: " + s);
  }
  static bool is_head(const std::string& s) {
    return s.find(".func") != std::string::npos || s.find(".entry") != std::string::npos;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
};

/// Words, numbers and single signs.
std::vector<std::string> tokens(const std::string& s) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < s.size();) {
    if (std::isspace(static_cast<unsigned char>(s[i])) != 0) {
      ++i;
    } else if (is_name(s[i]) || (s[i] == '-' && i + 1 < s.size() && std::isdigit(s[i + 1]))) {
      const std::size_t begin = i++;
      while (i < s.size() &&
             (is_name(s[i]) || s.substr(i, 2) == "::" || (s[i] == ':' && s[i - 1] == ':')))
        ++i;
      out.push_back(s.substr(begin, i - begin));
    } else {
      out.emplace_back(1, s[i++]);
    }
  }
  return out;
}

std::optional<Type> type_of(const std::string& word) {
  static const std::map<std::string, Type> known{
      {"u8", {'u', 8}},   {"u16", {'u', 16}}, {"u32", {'u', 32}}, {"u64", {'u', 64}},
      {"s8", {'s', 8}},   {"s16", {'s', 16}}, {"s32", {'s', 32}}, {"s64", {'s', 64}},
      {"b8", {'b', 8}},   {"b16", {'b', 16}}, {"b32", {'b', 32}}, {"b64", {'b', 64}},
      {"f32", {'f', 32}}, {"f64", {'f', 64}}, {"pred", {'p', 1}}};
  const auto at = known.find(word);
  return at == known.end() ? std::nullopt : std::optional(at->second);
}

struct Function {
  std::string head;
  int line = 0;
  std::vector<Statement> body;
};

std::size_t align_up(std::size_t n, std::size_t to) {
  return (n + to - 1) / to * to;
}

/// A variable: ".shared .align 8 .b8 name[64]", with its number of bytes (0: "[]").
struct Variable {
  std::string name;
  Type type;
  std::size_t align = 1, bytes = 0;
};
Variable variable_of(const std::vector<std::string>& words, int line) {
  Variable v;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == ".align") {
      v.align = std::stoul(words.at(++i));
    } else if (const auto type = type_of(words[i].substr(1)); words[i][0] == '.' && type) {
      v.type = *type;
      v.name = words.at(i + 1);
      v.bytes = static_cast<std::size_t>(type->bits) / 8;
      if (i + 2 < words.size() && words[i + 2] == "[")
        v.bytes *= words.at(i + 3) == "]" ? 0 : std::stoul(words[i + 3]);
      v.align = std::max(v.align, static_cast<std::size_t>(type->bits) / 8);
      return v;
    }
  }
  refuse(line, "a variable without a type");
}

u64 constant(const std::string& word, int line) {
  if (word.starts_with("0f") || word.starts_with("0F") || word.starts_with("0d") ||
      word.starts_with("0D"))
    return std::stoull(word.substr(2), nullptr, 16);
  try {
    std::string digits = word;
    if (digits.ends_with("U")) digits.pop_back();
    return digits[0] == '-' ? static_cast<u64>(std::stoll(digits, nullptr, 0))
                            : std::stoull(digits, nullptr, 0);
  } catch (const std::exception&) {
    refuse(line, "unknown name " + word);
  }
}

class Parser {
 public:
  explicit Parser(std::string_view ptx) {
    if (ptx.starts_with("// kernel ")) program_.kernel = ptx.substr(10, ptx.find('\n') - 10);
    collect(Statements(ptx).all());
    if (entry_.empty()) refuse(1, "no kernel (.entry)");
    if (program_.kernel.empty()) program_.kernel = entry_;
    program_.shared_bytes = align_up(program_.shared_bytes, 128);
    for (const std::string& name : dynamic_) module_[name] = constant_of(program_.shared_bytes);
    const Function& f = functions_.at(entry_);
    read_entry(f);
    expand(f, {});
    for (Instruction& in : program_.code) {
      if (in.flow == Instruction::Flow::kNone) decode(in);
    }
  }
  Program take() { return std::move(program_); }

 private:
  using Names = std::unordered_map<std::string, Operand>;

  static Operand constant_of(u64 value) {
    Operand o;
    o.kind = Operand::Kind::kConstant;
    o.value = value;
    return o;
  }

  void collect(const std::vector<Statement>& all) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Statement& s = all[i];
      const std::vector<std::string> words = tokens(s.text);
      const bool function =
          s.text.find(".func") != std::string::npos || s.text.find(".entry") != std::string::npos;
      if (function) {
        if (i + 1 == all.size() || all[i + 1].kind != Statement::Kind::kOpen) continue;
        Function f{s.text, s.line, {}};
        int depth = 1;
        for (i += 2; depth > 0 && i < all.size(); ++i) {
          depth +=
              (all[i].kind == Statement::Kind::kOpen) - (all[i].kind == Statement::Kind::kClose);
          if (depth > 0) f.body.push_back(all[i]);
          // Of a function that is called, whose names are the module's.
          if (const auto inside = tokens(all[i].text); contains(inside, ".shared"))
            share(inside, all[i].line);
        }
        --i;
        const std::string name = name_of(words);
        if (s.text.find(".entry") != std::string::npos) entry_ = name;
        functions_[name] = std::move(f);
      } else if (contains(words, ".shared")) {
        share(words, s.line);
      } else if (contains(words, ".global") || contains(words, ".const")) {
        define(words, s.line);
      }
    }
  }
  void share(const std::vector<std::string>& words, int line) {
    const Variable v = variable_of(words, line);
    if (v.bytes == 0)
      dynamic_.push_back(v.name);
    else
      module_[v.name] = constant_of(reserve(program_.shared_bytes, v));
  }
  static bool contains(const std::vector<std::string>& words, const char* word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  }
  static u64 reserve(std::size_t& end, const Variable& v) {
    const std::size_t at = align_up(end, v.align);
    end = at + v.bytes;
    return at;
  }
  void define(const std::vector<std::string>& words, int line) {
    const Variable v = variable_of(words, line);
    std::size_t end = program_.variables.size();
    u64 at = reserve(end, v);
    program_.variables.resize(end);
    module_[v.name] = constant_of(kVariableWindow + at);
    std::size_t i = 0;
    while (i < words.size() && words[i] != "=") ++i;
    const std::size_t step = static_cast<std::size_t>(v.type.bits) / 8;
    for (++i; i < words.size(); ++i) {
      const bool number = std::isdigit(words[i][0]) != 0 || words[i][0] == '-';
      if (!number) continue;
      if (at + step > end) refuse(line, "more values than the variable holds");
      const u64 value = constant(words[i], line);
      std::memcpy(&program_.variables[at], &value, step);
      at += step;
    }
  }
  /// The name behind the result's list, before the parameters' list.
  static std::string name_of(const std::vector<std::string>& words) {
    std::size_t i = 0;
    while (words[i] != ".func" && words[i] != ".entry") ++i;
    ++i;
    if (words[i] == "(") {
      while (words[i] != ")") ++i;
      ++i;
    }
    return words[i];
  }
  /// The declarations of parameters inside the lists of a head, in order, results first.
  static std::vector<Variable> params_of(const Function& f) {
    std::vector<Variable> out;
    const std::vector<std::string> words = tokens(f.head);
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (words[i] != ".param") continue;
      std::size_t end = i;
      while (words[end] != "," && words[end] != ")") ++end;
      out.push_back(variable_of({words.begin() + static_cast<std::ptrdiff_t>(i),
                                 words.begin() + static_cast<std::ptrdiff_t>(end)},
                                f.line));
    }
    return out;
  }
  void read_entry(const Function& f) {
    for (const Variable& v : params_of(f))
      module_[v.name] = constant_of(reserve(program_.params_bytes, v));
    std::smatch m;
    if (std::regex_search(f.head, m, std::regex("\\.maxntid\\s+(\\d+)")))
      program_.max_threads = std::stoi(m[1]);
  }

  /// Appends a function's instructions. `arguments`: where its parameters are, results first.
  void expand(const Function& f, const std::vector<Operand>& arguments) {
    if (++depth_ > 8) refuse(f.line, "calls nested too deeply");
    std::vector<Names> scopes(1);
    if (depth_ > 1) {
      const std::vector<Variable> params = params_of(f);
      if (params.size() != arguments.size()) refuse(f.line, "call with other parameters");
      for (std::size_t i = 0; i < params.size(); ++i) scopes[0][params[i].name] = arguments[i];
    }
    std::unordered_map<std::string, int> labels;
    std::vector<std::pair<std::size_t, std::string>> jumps;  // instruction, label ("": the end)
    for (const Statement& s : f.body) {
      if (s.kind == Statement::Kind::kOpen) scopes.emplace_back();
      if (s.kind == Statement::Kind::kClose) scopes.pop_back();
      if (s.kind == Statement::Kind::kLabel)
        labels[s.text] = static_cast<int>(program_.code.size());
      if (s.kind == Statement::Kind::kText) statement(s, scopes, jumps);
    }
    labels[""] = static_cast<int>(program_.code.size());
    for (const auto& [at, label] : jumps) {
      if (!labels.contains(label)) refuse(program_.code[at].line, "unknown label " + label);
      program_.code[at].target = labels[label];
    }
    --depth_;
  }

  void statement(const Statement& s, std::vector<Names>& scopes,
                 std::vector<std::pair<std::size_t, std::string>>& jumps) {
    std::vector<std::string> words = tokens(s.text);
    if (words[0] == ".reg") return registers(words, s.line, scopes.back());
    if (words[0] == ".local" || words[0] == ".param") {
      const Variable v = variable_of(words, s.line);
      Operand o = constant_of(reserve(program_.local_bytes, v));
      o.local = true;
      scopes.back()[v.name] = o;
      return;
    }
    if (words[0][0] == '.') return;  // .loc, .pragma
    Instruction in;
    in.line = s.line;
    in.text = std::regex_replace(s.text, std::regex("\\s+"), " ");
    std::size_t i = 0;
    if (words[0] == "@") {
      in.guard_negated = words[1] == "!";
      i = in.guard_negated ? 2 : 1;
      in.guard = name(words[i++], scopes, s.line).index;
    }
    split(words[i++], in.words);
    const std::string op = in.words[0];
    if (op == "call") return call(words, i, scopes, s.line);
    if (op == "bra") {
      in.flow = Instruction::Flow::kBranch;
      jumps.emplace_back(program_.code.size(), words[i]);
    } else if (op == "ret" || op == "exit") {
      in.flow = depth_ > 1 ? Instruction::Flow::kBranch : Instruction::Flow::kReturn;
      if (depth_ > 1) jumps.emplace_back(program_.code.size(), "");
    } else {
      const bool barrier = op == "bar" || op == "barrier";
      if (barrier && in.words.at(1) == "sync" && words.size() == i + 1 && words[i] == "0")
        in.flow = Instruction::Flow::kBarrier;
      while (i < words.size()) {
        if (words[i] == "," || words[i] == "|")
          ++i;
        else
          in.operands.push_back(operand(words, i, scopes, s.line));
      }
    }
    program_.code.push_back(std::move(in));
  }

  void registers(const std::vector<std::string>& words, int line, Names& names) {
    for (std::size_t i = 2; i < words.size(); ++i) {
      if (words[i] == ",") continue;
      Operand o;
      o.kind = Operand::Kind::kRegister;
      if (i + 1 < words.size() && words[i + 1] == "<") {
        const int count = static_cast<int>(constant(words[i + 2], line));
        for (int n = 0; n < count; ++n) {
          o.index = program_.registers++;
          names[words[i] + std::to_string(n)] = o;
        }
        i += 3;
      } else {
        o.index = program_.registers++;
        names[words[i]] = o;
      }
    }
  }

  /// "call.uni (results), function, (arguments);"
  void call(const std::vector<std::string>& words, std::size_t i, std::vector<Names>& scopes,
            int line) {
    std::vector<Operand> arguments;
    std::string callee;
    bool inside = false;
    for (; i < words.size(); ++i) {
      if (words[i] == "(" || words[i] == ")")
        inside = words[i] == "(";
      else if (words[i] != ",") {
        if (inside)
          arguments.push_back(name(words[i], scopes, line));
        else
          callee = words[i];
      }
    }
    const auto at = functions_.find(callee);
    if (at == functions_.end()) refuse(line, "call of the unknown function " + callee);
    expand(at->second, arguments);
  }

  Operand name(const std::string& word, const std::vector<Names>& scopes, int line) const {
    for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
      if (const auto at = scope->find(word); at != scope->end()) return at->second;
    }
    if (const auto at = module_.find(word); at != module_.end()) return at->second;
    Operand o;
    if (word == "_") return o;
    if (word == "%dynamic_smem_size") {
      o.kind = Operand::Kind::kDynamicShared;
      return o;
    }
    if (word[0] == '%' && word.size() > 2 && word[word.size() - 2] == '.') {
      static const std::map<std::string, Operand::Kind> special{{"%tid", Operand::Kind::kThread},
                                                                {"%ntid", Operand::Kind::kThreads},
                                                                {"%ctaid", Operand::Kind::kBlock},
                                                                {"%nctaid", Operand::Kind::kGrid}};
      const auto at = special.find(word.substr(0, word.size() - 2));
      if (at == special.end()) refuse(line, "unknown register " + word);
      o.kind = at->second;
      o.index = word.back() - 'x';
      return o;
    }
    return constant_of(constant(word, line));
  }

  Operand operand(const std::vector<std::string>& words, std::size_t& i,
                  const std::vector<Names>& scopes, int line) {
    Operand o;
    if (words[i] == "{") {
      o.kind = Operand::Kind::kList;
      for (++i; words.at(i) != "}";) {
        if (words[i] == ",")
          ++i;
        else
          o.parts.push_back(operand(words, i, scopes, line));
      }
      ++i;
    } else if (words[i] == "[") {
      o.kind = Operand::Kind::kMemory;
      o.parts.push_back(name(words.at(i + 1), scopes, line));
      o.local = o.parts[0].local;
      for (i += 2; words.at(i) != "]"; ++i) {
        if (words[i] == "{") {  // coordinates in a tensor map
          o.parts.push_back(operand(words, i, scopes, line));
          break;
        }
        if (words[i] != "+" && words[i] != ",") o.value += constant(words[i], line);
      }
      ++i;
    } else if (words[i] == "!") {
      refuse(line, "negated operand");
    } else {
      o = name(words[i++], scopes, line);
    }
    return o;
  }

  static void split(const std::string& opcode, std::vector<std::string>& words) {
    std::size_t begin = 0;
    for (std::size_t dot; (dot = opcode.find('.', begin)) != std::string::npos; begin = dot + 1)
      words.push_back(opcode.substr(begin, dot - begin));
    words.push_back(opcode.substr(begin));
  }

  Program program_;
  std::map<std::string, Function> functions_;
  std::string entry_;
  std::vector<std::string> dynamic_;
  Names module_;
  int depth_ = 0;
};

}  // namespace

Program parse(std::string_view ptx) {
  return Parser(ptx).take();
}

}  // namespace eflow::ptx
