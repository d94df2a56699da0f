#pragma once
// A PTX kernel in the form that the interpreter executes: a list of instructions with numbered
// registers. Calls are replaced by the bodies of the functions they call.
// The meaning of every instruction follows NVIDIA's "Parallel Thread Execution ISA".

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace eflow::ptx {

using u8 = std::uint8_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

// Where the state spaces begin among generic addresses. Global memory is the host's: an address
// below the first window.
inline constexpr u64 kSharedWindow = u64{1} << 56;
inline constexpr u64 kLocalWindow = u64{2} << 56;
inline constexpr u64 kParamWindow = u64{3} << 56;
inline constexpr u64 kVariableWindow = u64{4} << 56;  ///< variables of the module, read-only
inline constexpr u64 kWindowMask = u64{0xff} << 56;

enum class Space { kGeneric, kGlobal, kShared, kLocal, kParam };

/// Of an operand or an instruction: u, s, b, f or p (predicate), and bits; bf16x2 is x, f16x2 y.
struct Type {
  char kind = 0;
  int bits = 0;
  bool operator==(const Type&) const = default;
};

struct Operand {
  enum class Kind {
    kRegister,
    kConstant,
    kThread,
    kBlock,
    kGrid,
    kThreads,
    kDynamicShared,
    kList,
    kMemory,
    kSink
  };
  Kind kind = Kind::kSink;
  int index = 0;               ///< of the register, or the dimension (0 = x)
  u64 value = 0;               ///< constant, or offset of a memory operand
  std::vector<Operand> parts;  ///< of a list; the base of a memory operand, and coordinates
  bool local = false;          ///< memory operand: a parameter of a call, kept in local memory
};

struct Instruction;
class Warp;
using Run = void (*)(Warp& warp, const Instruction& in, u32 lanes);

struct Instruction {
  Run run = nullptr;  ///< nullptr: control flow, or unknown
  enum class Flow { kNone, kBranch, kReturn, kBarrier } flow = Flow::kNone;
  int line = 0;      ///< in the PTX text
  std::string text;  ///< for messages
  int guard = -1;    ///< predicate register
  bool guard_negated = false;
  Type type, from;  ///< last type; the type before it
  Space space = Space::kGeneric;
  int vector = 1;                  ///< elements per lane of a load or store
  int option = 0;                  ///< meaning depends on the instruction
  int target = -1;                 ///< of a branch: index of an instruction
  std::vector<std::string> words;  ///< of the opcode
  std::vector<Operand> operands;
};

struct Program {
  std::string kernel;  ///< for messages
  std::vector<Instruction> code;
  int registers = 0;
  std::size_t shared_bytes = 0;  ///< static; dynamic shared memory begins here
  std::size_t local_bytes = 0;   ///< per thread
  std::size_t params_bytes = 0;
  int max_threads = 1024;
  std::vector<u8> variables;  ///< the module's variables
};

/// Parses the kernel in a module of PTX. Throws std::runtime_error that names the line for text it
/// does not understand. An unknown instruction is no error until it is executed.
[[nodiscard]] Program parse(std::string_view ptx);

/// Selects the function that executes the instruction; leaves `run` empty if it is unknown.
void decode(Instruction& in);

}  // namespace eflow::ptx
