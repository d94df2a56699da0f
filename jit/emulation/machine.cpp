// The emulated machine: a scheduler of thread contexts, warp-wide and warpgroup-wide instructions,
// asynchronous copies, and checks that every access to shared memory is in bounds and aligned.
#include "eflow/jit/emulation/machine.hpp"

#include <setjmp.h>
#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "eflow/jit/emulation/copy_engine.hpp"
#include "eflow/jit/emulation/races.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EFLOW_ASAN
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define EFLOW_ASAN
#endif
#ifdef EFLOW_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace eflow::emulated {
namespace {

constexpr int kLanes = 32, kGroup = 128;
constexpr std::size_t kStackBytes = 512 << 10;

struct Copy {
  void* to;
  const void* from;
  int bytes;
};

void perform(const Copy& c) {
  char chunk[16] = {};
  if (c.bytes > 0) std::memcpy(chunk, c.from, static_cast<std::size_t>(c.bytes));
  std::memcpy(c.to, chunk, sizeof chunk);
}

/// The stack of thread i. Stacks are kept between launches; most touch only their first page.
char* stack_of(std::size_t i) {
  static std::vector<std::unique_ptr<char[]>> stacks;
  while (stacks.size() <= i) stacks.push_back(std::make_unique_for_overwrite<char[]>(kStackBytes));
  return stacks[i].get();
}

/// A context with its own stack that runs until it yields. A ucontext starts it; later switches are
/// longjmps, which need no system call.
struct Context {
  ucontext_t begin;
  jmp_buf here;
  bool begun = false;
};

// These return twice, so they must not be inlined into a function with live locals.
[[gnu::noinline]] void prepare(Context& c, char* stack, void (*entry)()) {
#ifdef EFLOW_ASAN
  // The frames of the thread before never returned: their marks would be taken for this one's.
  __asan_unpoison_memory_region(stack, kStackBytes);
#endif
  c.begun = false;
  getcontext(&c.begin);
  c.begin.uc_stack.ss_sp = stack;
  c.begin.uc_stack.ss_size = kStackBytes;
  c.begin.uc_link = nullptr;
  makecontext(&c.begin, entry, 0);
}
[[gnu::noinline]] void switch_to(Context& from, Context& to) {
  if (_setjmp(from.here) != 0) return;
  if (to.begun) _longjmp(to.here, 1);
  to.begun = true;
  setcontext(&to.begin);
}

/// An operand in shared memory, decoded from operand_at's descriptor.
struct Operand {
  std::uint64_t packed;
  bool down;
  /// Byte offset of element (outer, k).
  std::size_t at(int outer, int k) const {
    const auto field = [&](int bit) {
      return static_cast<std::size_t>(packed >> bit & 0x3fff) * 16;
    };
    const auto o = static_cast<std::size_t>(outer), i = static_cast<std::size_t>(k);
    return field(0) + o / 8 * field(32) + i / 8 * field(16) +
           (down ? o % 8 * 2 + i % 8 * 16 : o % 8 * 16 + i % 8 * 2);
  }
};
/// One lane's share of a warpgroup product, which may be executed long after the instruction.
struct GroupProduct {
  int strips;
  float* c;
  bool a_in_registers;
  unsigned a[4];
  Operand a_shared, b_shared;
};

struct Thread {
  Context context;
  bool runnable = true, finished = false;
  void* operands = nullptr;  ///< of the instruction for which its warp is gathering
  std::vector<Copy> open;
  std::deque<std::vector<Copy>> groups;
  std::vector<GroupProduct> products;  ///< issued but not finished
  const void* barrier = nullptr;       ///< copy barrier that it waits for
};

/// An instruction that the lanes of a warp, or the warps of a block, execute together.
struct Meeting {
  const char* what = nullptr;
  int arrived = 0;
};

struct Shuffle {
  std::uint64_t bits;
  int mask;
  std::uint64_t result;
};
struct MatrixLoad {
  unsigned* out;
  const char* row;
  bool transposed;
};
struct Product {
  float* c;
  const unsigned* a;
  unsigned b[2];
};

float bits_to_float(unsigned bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
float f16_value(unsigned bits) {
  const int exponent = static_cast<int>(bits >> 10 & 0x1fu);
  const float fraction = static_cast<float>(bits & 0x3ffu), sign = (bits & 0x8000u) != 0 ? -1 : 1;
  if (exponent == 31) return fraction != 0 ? NAN : sign * INFINITY;
  return sign *
         (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25));
}
float half_of(unsigned pair, int which) {
  return bits_to_float(which == 0 ? pair << 16 : pair & 0xffff0000u);
}

class Machine {
 public:
  Machine(const Launch& launch, void (*kernel)(const void*, const void*), const void* args)
      : launch_(launch),
        kernel_(kernel),
        args_(args),
        threads_(static_cast<std::size_t>(launch.threads)),
        warps_(threads_.size() / kLanes),
        groups_((threads_.size() + kGroup - 1) / kGroup),
        shared_(launch.shared_bytes + 128) {
    const auto at = reinterpret_cast<std::uintptr_t>(shared_.data());
    scratch_ = shared_.data() + (128 - at % 128) % 128;
  }

  void run_block(long long x, long long y, long long z);
  void entry();
  int current() const { return current_; }
  long long shared_bytes() const { return static_cast<long long>(launch_.shared_bytes); }
  [[noreturn]] void trap_without_room() {
    fail("a tile does not fit the " + std::to_string(shared_bytes()) +
         " B of shared memory that the launch asked for");
  }
  Thread& thread() { return threads_[static_cast<std::size_t>(current_)]; }

  /// Returns once all lanes of the warp (or warpgroup) have called it; do_all receives their
  /// operands.
  template <int kCount = kLanes, class Operands>
  void together(const char* what, Operands& mine, void (Machine::*do_all)(Operands* const*)) {
    Meeting& here =
        (kCount == kLanes ? warps_ : groups_)[static_cast<std::size_t>(current_ / kCount)];
    if (here.arrived > 0 && here.what != what)
      fail(std::string("lanes diverge: ") + what + " meets " + here.what);
    here.what = what;
    thread().operands = &mine;
    if (++here.arrived < kCount) return wait();
    const std::size_t first = static_cast<std::size_t>(current_ / kCount * kCount);
    Operands* all[kCount];
    for (std::size_t l = 0; l < kCount; ++l)
      all[l] = static_cast<Operands*>(threads_[first + l].operands);
    here.arrived = 0;
    for (std::size_t l = 0; l < kCount; ++l) threads_[first + l].runnable = true;
    (this->*do_all)(all);
  }
  void barrier() {
    if (++block_.arrived < launch_.threads) return wait();
    block_.arrived = 0;
    races_.barrier();
    for (Thread& t : threads_) t.runnable = true;
  }

  /// See check_access().
  bool check_access(const char* p, std::size_t bytes, bool writes, std::string& error) {
    const char* const stack = stack_of(static_cast<std::size_t>(current_));
    if (p >= stack && p < stack + kStackBytes) return true;
    const auto* const block = reinterpret_cast<const char*>(&position_);
    if (p >= block && p < block + sizeof position_) return true;
    const bool dynamic = p >= scratch_ && p < scratch_ + launch_.shared_bytes;
    if (!dynamic && (p < launch_.statics || p >= launch_.statics + launch_.static_bytes))
      return false;
    if (launch_.races) error = races_.use(p, bytes, writes, current_);
    return true;
  }

  void shuffle(Shuffle* const* all) {
    for (int l = 0; l < kLanes; ++l) all[l]->result = all[l ^ all[l]->mask]->bits;
  }
  void load_matrices(MatrixLoad* const* all);
  void product_bf16(Product* const* all);
  void product_f16(Product* const* all);
  void product_tf32(Product* const* all);
  void product_of_group(GroupProduct* const* all);

  std::uint64_t packed_operand(const void* first, int leading, int stride) {
    check_shared(first, "operand");
    if (leading % 16 != 0 || stride % 16 != 0 || leading >= 1 << 18 || stride >= 1 << 18)
      fail("operand distances are " + std::to_string(leading) + " and " + std::to_string(stride));
    const auto at = static_cast<std::uint64_t>(static_cast<const char*>(first) - scratch_);
    return at / 16 | static_cast<std::uint64_t>(leading / 16) << 16 |
           static_cast<std::uint64_t>(stride / 16) << 32;
  }
  /// Executed either immediately or only when awaited; sums and operands must not be touched in
  /// between.
  void begin_product(const GroupProduct& p) {
    thread().products.push_back(p);
    if (!launch_.schedule.late_copies) finish_products();
  }
  void finish_products() {
    auto& products = thread().products;
    for (GroupProduct& p : products) together<kGroup>("wgmma", p, &Machine::product_of_group);
    products.clear();
  }

  /// A use of shared memory by an instruction, which a text does not report.
  void use_shared(const void* p, std::size_t bytes, bool writes, int thread) {
    if (!launch_.races) return;
    require(races_.use(static_cast<const char*>(p), bytes, writes, thread));
  }

  void copy(const Copy& c) {
    check_shared(c.to, "cp.async");
    use_shared(c.to, 16, true, current_);
    if (c.bytes < 0 || c.bytes > 16 || reinterpret_cast<std::uintptr_t>(c.from) % 16 != 0)
      fail("cp.async of " + std::to_string(c.bytes) + " bytes from a misaligned address");
    ++outcome.copies;
    if (launch_.schedule.late_copies)
      thread().open.push_back(c);
    else
      perform(c);
  }
  void commit() {
    thread().groups.push_back(std::move(thread().open));
    thread().open.clear();
  }
  void wait_for(int open) {
    auto& groups = thread().groups;
    for (; groups.size() > static_cast<std::size_t>(open); groups.pop_front()) {
      for (const Copy& c : groups.front()) {
        use_shared(c.to, 16, true, current_);
        perform(c);
      }
    }
  }

  void open_barrier(void* barrier) { require(engine_.open(barrier)); }
  void close_barrier(void* barrier) { require(engine_.close(barrier)); }
  void arrive(void* barrier) {
    require(engine_.arrive(barrier));
    wake(barrier);
  }
  void wait_for_phase(void* barrier, unsigned parity) {
    if (!engine_.is_open(barrier)) fail("waits at a barrier that is not initialised");
    while (!engine_.has_passed(barrier, parity)) {
      if (engine_.run(barrier)) {
        wake(barrier);
      } else {
        thread().barrier = barrier;
        wait();
      }
    }
  }
  void copy_box(void* to, int bytes, const void* map, const int* at, void* barrier) {
    char* const first = static_cast<char*>(to);
    check_shared(first, "bulk copy");
    check_shared(first + bytes - 16, "end of a bulk copy");
    if ((first - scratch_) % 128 != 0) fail("bulk copy to a misaligned address");
    ++outcome.bulk_copies;
    require(engine_.copy(first, bytes, map, at, barrier, launch_.schedule.late_copies));
  }

  [[noreturn]] void fail(std::string error) {
    if (outcome.error.empty()) outcome.error = "thread " + std::to_string(current_) + ": " + error;
    std::string().swap(error);  // the thread never goes on, so nothing else frees it
    for (;;) switch_to(thread().context, scheduler_);
  }

  Outcome outcome;

 private:
  void wait() {
    thread().runnable = false;
    switch_to(thread().context, scheduler_);
  }
  void require(std::string error) {
    if (!error.empty()) fail(std::move(error));
  }
  void wake(const void* barrier) {
    for (Thread& t : threads_) {
      if (t.barrier != barrier) continue;
      t.barrier = nullptr;
      t.runnable = true;
    }
  }
  int next_tunable() const {
    for (int i = 0; i < launch_.threads; ++i) {
      const int t = launch_.schedule.last_first ? launch_.threads - 1 - i : i;
      if (threads_[static_cast<std::size_t>(t)].runnable) return t;
    }
    return -1;
  }
  void check_shared(const void* p, const char* what) {
    const char* const at = static_cast<const char*>(p);
    if (at < scratch_ || at + 16 > scratch_ + launch_.shared_bytes || (at - scratch_) % 16 != 0)
      fail(std::string(what) + " at byte " + std::to_string(at - scratch_) + " of " +
           std::to_string(launch_.shared_bytes) + " of shared memory");
  }
  template <class F>
  void product_of_halves(Product* const* all, F value);
  /// 16 x 8 sums of a 16 x k and a k x 8 matrix, in the lanes' order.
  template <int kDepth>
  void multiply(Product* const* all, const float (&a)[16][kDepth], const float (&b)[kDepth][8]);

  Launch launch_;
  void (*kernel_)(const void*, const void*);
  const void* args_;
  std::vector<Thread> threads_;
  std::vector<Meeting> warps_, groups_;
  Meeting block_;
  CopyEngine engine_;
  Races races_;
  std::vector<char> shared_;
  char* scratch_;
  Context scheduler_{.begin = {}, .here = {}, .begun = true};
  int current_ = 0;
  struct {
    long long x, y, z, nx, ny, nz;
    char* scratch;
  } position_;
};

Machine* machine = nullptr;

void Machine::entry() {
  kernel_(&position_, args_);
  thread().finished = true;
  wait();
}

void Machine::run_block(long long x, long long y, long long z) {
  position_ = {x, y, z, launch_.x, launch_.y, launch_.z, scratch_};
  std::memset(shared_.data(), 0xff, shared_.size());
  block_.arrived = 0;
  engine_.reset();
  races_.reset();
  if (launch_.begin_block) launch_.begin_block(x, y, z);
  for (Meeting& warp : warps_) warp.arrived = 0;
  for (Meeting& group : groups_) group.arrived = 0;
  for (Thread& t : threads_) {
    t.runnable = true;
    t.finished = false;
    t.open.clear();
    t.groups.clear();
    t.products.clear();
    t.barrier = nullptr;
    prepare(t.context, stack_of(static_cast<std::size_t>(&t - threads_.data())),
            [] { machine->entry(); });
  }
  for (int next = next_tunable(); next >= 0 && outcome.error.empty(); next = next_tunable()) {
    current_ = next;
    switch_to(scheduler_, thread().context);
  }
  if (!outcome.error.empty()) return;
  for (std::size_t t = 0; t < threads_.size(); ++t) {
    if (threads_[t].finished) continue;
    outcome.error = "thread " + std::to_string(t) + " waits forever, " +
                    std::to_string(block_.arrived) + " threads are at a barrier";
    return;
  }
  if (!engine_.idle()) outcome.error = "a copy barrier is still initialised at the end";
}

void Machine::load_matrices(MatrixLoad* const* all) {
  for (int m = 0; m < 4; ++m) {
    bool shared_bank = false;
    unsigned banks = 0;
    for (int r = 0; r < 8; ++r) {
      const char* const row = all[8 * m + r]->row;
      check_shared(row, "ldmatrix");
      use_shared(row, 16, false, current_ / kLanes * kLanes + 8 * m + r);
      const unsigned bank = 1u << (row - scratch_) / 16 % 8;
      shared_bank = shared_bank || (banks & bank) != 0;
      banks |= bank;
    }
    ++outcome.matrix_loads;
    outcome.bank_conflicts += shared_bank;
    for (int l = 0; l < kLanes; ++l) {
      std::uint16_t pair[2];
      for (int e = 0; e < 2; ++e) {
        const int row = all[0]->transposed ? 2 * (l % 4) + e : l / 4;
        const int column = all[0]->transposed ? l / 4 : 2 * (l % 4) + e;
        std::memcpy(&pair[e], all[8 * m + row]->row + 2 * column, 2);
      }
      all[l]->out[m] = pair[0] | static_cast<unsigned>(pair[1]) << 16;
    }
  }
}

template <int kDepth>
void Machine::multiply(Product* const* all, const float (&a)[16][kDepth],
                       const float (&b)[kDepth][8]) {
  ++outcome.products;
  for (int l = 0; l < kLanes; ++l) {
    for (int e = 0; e < 4; ++e) {
      const int row = l / 4 + 8 * (e / 2), column = 2 * (l % 4) + e % 2;
      double sum = static_cast<double>(all[l]->c[e]);
      for (int k = 0; k < kDepth; ++k)
        sum += static_cast<double>(a[row][k]) * static_cast<double>(b[k][column]);
      all[l]->c[e] = static_cast<float>(sum);
    }
  }
}

/// Of halves: value(word, 0 or 1) is the number in its lower or upper half.
template <class F>
void Machine::product_of_halves(Product* const* all, F value) {
  float a[16][16], b[16][8];
  for (int l = 0; l < kLanes; ++l) {
    const int g = l / 4, t = l % 4;
    for (int e = 0; e < 2; ++e) {
      for (int i = 0; i < 4; ++i) a[g + i % 2 * 8][2 * t + i / 2 * 8 + e] = value(all[l]->a[i], e);
      for (int i = 0; i < 2; ++i) b[2 * t + i * 8 + e][g] = value(all[l]->b[i], e);
    }
  }
  multiply(all, a, b);
}
void Machine::product_bf16(Product* const* all) {
  product_of_halves(all, half_of);
}
void Machine::product_f16(Product* const* all) {
  product_of_halves(all,
                    [](unsigned word, int half) { return f16_value(word >> 16 * half & 0xffffu); });
}

void Machine::product_tf32(Product* const* all) {
  constexpr unsigned kKept = 0xffffe000u;
  float a[16][8], b[8][8];
  for (int l = 0; l < kLanes; ++l) {
    const int g = l / 4, t = l % 4;
    for (int i = 0; i < 4; ++i)
      a[g + i % 2 * 8][t + i / 2 * 4] = bits_to_float(all[l]->a[i] & kKept);
    for (int i = 0; i < 2; ++i) b[t + i * 4][g] = bits_to_float(all[l]->b[i] & kKept);
  }
  multiply(all, a, b);
}

void Machine::product_of_group(GroupProduct* const* all) {
  constexpr int kDepth = 16, kRows = kGroup / kLanes * 16;
  const int columns = 8 * all[0]->strips;
  const auto number = [&](const Operand& operand, int outer, int k) {
    const std::size_t at = operand.at(outer, k);
    if (at + 2 > launch_.shared_bytes) fail("wgmma reads byte " + std::to_string(at));
    std::uint16_t bits;
    std::memcpy(&bits, scratch_ + at, sizeof bits);
    return bits_to_float(static_cast<unsigned>(bits) << 16);
  };
  float a[kRows][kDepth];
  for (int l = 0; l < kGroup; ++l) {
    const GroupProduct& mine = *all[l];
    if (mine.strips != all[0]->strips || mine.a_shared.packed != all[0]->a_shared.packed ||
        mine.b_shared.packed != all[0]->b_shared.packed)
      fail("lanes of a warpgroup pass different operands");
    const int g = l / kLanes * 16 + l % kLanes / 4, t = l % 4;
    for (int e = 0; e < 8 && mine.a_in_registers; ++e)
      a[g + e / 2 % 2 * 8][2 * t + e / 4 * 8 + e % 2] = half_of(mine.a[e / 2], e % 2);
  }
  for (int m = 0; m < kRows && !all[0]->a_in_registers; ++m) {
    for (int k = 0; k < kDepth; ++k) a[m][k] = number(all[0]->a_shared, m, k);
  }
  std::vector<float> b(static_cast<std::size_t>(columns * kDepth));
  for (int n = 0; n < columns; ++n) {
    for (int k = 0; k < kDepth; ++k)
      b[static_cast<std::size_t>(n * kDepth + k)] = number(all[0]->b_shared, n, k);
  }
  ++outcome.group_products;
  for (int l = 0; l < kGroup; ++l) {
    for (int i = 0; i < columns / 2; ++i) {
      const int row = l / kLanes * 16 + l % kLanes / 4 + i / 2 % 2 * 8;
      const int column = i / 4 * 8 + 2 * (l % 4) + i % 2;
      double sum = static_cast<double>(all[l]->c[i]);
      for (int k = 0; k < kDepth; ++k)
        sum += static_cast<double>(a[row][k]) *
               static_cast<double>(b[static_cast<std::size_t>(column * kDepth + k)]);
      all[l]->c[i] = static_cast<float>(sum);
    }
  }
}

}  // namespace

int thread_index() {
  return machine->current();
}
void block_barrier() {
  machine->barrier();
}
long long shared_bytes() {
  return machine->shared_bytes();
}
void trap_without_room() {
  machine->trap_without_room();
}
unsigned long long shuffle_xor(unsigned long long bits, int mask) {
  Shuffle mine{bits, mask, 0};
  machine->together("shfl", mine, &Machine::shuffle);
  return mine.result;
}
void load_matrices(unsigned* out, const void* row, bool transposed) {
  MatrixLoad mine{out, static_cast<const char*>(row), transposed};
  machine->together(transposed ? "ldmatrix.trans" : "ldmatrix", mine, &Machine::load_matrices);
}
void multiply_bf16(float* c, const unsigned* a, unsigned b0, unsigned b1) {
  Product mine{c, a, {b0, b1}};
  machine->together("mma bf16", mine, &Machine::product_bf16);
}
void multiply_f16(float* c, const unsigned* a, unsigned b0, unsigned b1) {
  Product mine{c, a, {b0, b1}};
  machine->together("mma f16", mine, &Machine::product_f16);
}
void multiply_tf32(float* c, const unsigned* a, unsigned b0, unsigned b1) {
  Product mine{c, a, {b0, b1}};
  machine->together("mma tf32", mine, &Machine::product_tf32);
}
void copy_async(void* to, const void* from, int bytes) {
  machine->copy({to, from, bytes});
}
void commit_copies() {
  machine->commit();
}
void wait_copies(int open) {
  machine->wait_for(open);
}
unsigned long long operand_at(const void* first, int leading_bytes, int stride_bytes) {
  return machine->packed_operand(first, leading_bytes, stride_bytes);
}
void begin_products() {
  if (!machine->thread().products.empty())
    machine->fail("products begin before earlier ones are finished");
}
void multiply_shared(int strips, float* c, const unsigned* a, unsigned long long a_operand,
                     bool a_down, unsigned long long b_operand, bool b_down) {
  GroupProduct p{strips, c, a != nullptr, {}, {a_operand, a_down}, {b_operand, b_down}};
  if (a != nullptr) std::memcpy(p.a, a, sizeof p.a);
  machine->begin_product(p);
}
void finish_products() {
  machine->finish_products();
}
void open_barrier(void* barrier) {
  machine->open_barrier(barrier);
}
void close_barrier(void* barrier) {
  machine->close_barrier(barrier);
}
void arrive(void* barrier) {
  machine->arrive(barrier);
}
void wait_for_phase(void* barrier, unsigned parity) {
  machine->wait_for_phase(barrier, parity);
}
void copy_box(void* to, int bytes, const void* map, const int* at, void* barrier) {
  machine->copy_box(to, bytes, map, at, barrier);
}

const Calls& calls() {
#define EFLOW_CALL(result, name, parameters, arguments) &name,
  static const Calls table{EFLOW_MACHINE_CALLS(EFLOW_CALL)};
#undef EFLOW_CALL
  return table;
}

bool check_access(const char* p, std::size_t bytes, bool writes, std::string& error) {
  return machine->check_access(p, bytes, writes, error);
}
void fail(std::string error) {
  machine->fail(std::move(error));
}

Outcome run(const Launch& launch, void (*kernel)(const void* block, const void* args),
            const void* args) {
  Machine here(launch, kernel, args);
  machine = &here;
  for (long long z = 0; z < launch.z; ++z) {
    for (long long y = 0; y < launch.y; ++y) {
      for (long long x = 0; x < launch.x && here.outcome.error.empty(); ++x)
        here.run_block(x, y, z);
    }
  }
  machine = nullptr;
  return here.outcome;
}

}  // namespace eflow::emulated
