#pragma once
// Tiles in shared memory, and the pipeline that fills them ahead of use.
//
// Layout: a tile keeps the rows of its source whatever its Use; rows and columns are zero-padded to
// multiples of 16. It is stored in columns of 16-byte chunks: first chunk 0 of all rows, then chunk
// 1 of all rows, and so on. Eight adjacent rows of a chunk are therefore 128 contiguous bytes.
// ldmatrix reads these without bank conflicts, and they are a core matrix of wgmma, described by
// two strides, whether k runs along the rows or across them.
//
// Tested on an emulated GPU in tests/kernels_src and on an H200 (docs/cuda.md).

#include "eflow/kernels_src/tile/base/checks.h"
#include "eflow/kernels_src/tile/cuda/bulk_copy.h"
#include "eflow/kernels_src/tile/cuda/pack.h"
#include "eflow/kernels_src/tile/cuda/warpgroup.h"

namespace EFLOW_TEXT {

/// Bump allocator over the block's shared memory. An Arena passed by value releases the callee's
/// allocations on return. Reuse is safe, because load() and pipeline() begin with a barrier.
struct Arena {
  char* begin;
  u32 used = 0;
  EFLOW_FN explicit Arena(const Block& block) : begin(block.scratch) {}
};
/// The most shared memory that a block has on any supported GPU.
inline constexpr Index kMostSharedBytes = 227 << 10;

/// Role of a tile in a product: k runs along its columns (kLeft, kRightT) or down its rows
/// (kRight).
enum class Use { kLeft, kRight, kRightT };

struct alignas(16) Chunk {
  u32 words[4];
};

template <class T, int R, int C, Use kUse>
struct STile {
  using Element = T;
  static constexpr Use kRole = kUse;
  static constexpr int kRows = whole(R, 16), kColumns = whole(C, 16);
  static constexpr int kPerChunk = 16 / static_cast<int>(sizeof(T));
  static constexpr int kChunks = kColumns / kPerChunk;  ///< per row
  static constexpr Index kBytes = static_cast<Index>(sizeof(T)) * kRows * kColumns;
  static constexpr TileElement<T> kChecked{};
  T* p;
  /// Offset of a chunk, and of an element, in elements.
  EFLOW_FN static int chunk(int row, int index) { return (index * kRows + row) * kPerChunk; }
  EFLOW_FN static int offset(int row, int column) {
    return chunk(row, column / kPerChunk) + column % kPerChunk;
  }
  EFLOW_FN static STile at(char* memory) { return {reinterpret_cast<T*>(memory)}; }
};

/// One source as operand of A B^T and of A B: one layout serves both.
template <class T, int R, int C>
struct BothTiles {
  static constexpr Index kBytes = STile<T, R, C, Use::kRight>::kBytes;
  STile<T, R, C, Use::kRightT> right_t;
  STile<T, R, C, Use::kRight> right;
  EFLOW_FN static BothTiles at(char* memory) {
    return {STile<T, R, C, Use::kRightT>::at(memory), STile<T, R, C, Use::kRight>::at(memory)};
  }
};

/// A tile of a ring: its loads are asynchronous; pipeline() waits for them.
template <class Tile>
struct Staged : Tile {
  int stage = 0;  ///< index in the ring
};

/// One tile per stage. Only pipeline() assigns stages: a ring's tile is loaded in its `load` and
/// used in its `compute`.
template <int kStages, class Tile>
struct Ring {
  char* first;
  EFLOW_FN Staged<Tile> operator[](int stage) const {
    return {Tile::at(first + stage * Tile::kBytes), stage};
  }
};

/// Asks the launch for the memory.
template <Index kBytes>
EFLOW_FN char* take(Arena& arena) {
  static_assert(sizeof(TileFits<kBytes, kMostSharedBytes>) > 0);
  char* const p = arena.begin + arena.used;
  arena.used += static_cast<u32>(kBytes);
  need_shared_bytes(arena.used);
  return p;
}
template <class T, int R, int C, Use kUse>
EFLOW_FN STile<T, R, C, kUse> alloc(Arena& arena) {
  using Tile = STile<T, R, C, kUse>;
  return Tile::at(take<Tile::kBytes>(arena));
}
template <class T, int R, int C>
EFLOW_FN BothTiles<T, R, C> alloc_both(Arena& arena) {
  using Tile = BothTiles<T, R, C>;
  return Tile::at(take<Tile::kBytes>(arena));
}
template <int kStages, class T, int R, int C, Use kUse>
EFLOW_FN Ring<kStages, STile<T, R, C, kUse>> alloc_ring(Arena& arena) {
  return {take<kStages * STile<T, R, C, kUse>::kBytes>(arena)};
}
template <int kStages, class T, int R, int C>
EFLOW_FN Ring<kStages, BothTiles<T, R, C>> alloc_both_ring(Arena& arena) {
  return {take<kStages * BothTiles<T, R, C>::kBytes>(arena)};
}

/// rows x columns elements at p. Rows are row_stride apart; a row is contiguous.
template <class T>
struct View {
  T* p;
  Index row_stride;
  Index rows, columns;
};

/// Whether all rows begin at a multiple of `bytes`.
template <class T>
EFLOW_FN bool is_aligned(const View<T>& view, int bytes) {
  const Index size = static_cast<Index>(sizeof(T));
  return (reinterpret_cast<u64>(view.p) | static_cast<u64>(view.row_stride * size)) %
             static_cast<u64>(bytes) ==
         0;
}

/// n clamped to [0, size].
EFLOW_FN int limit(Index n, int size) {
  return static_cast<int>(max_of<Index>(0, min_of<Index>(n, size)));
}

/// Copies whole 16-byte chunks; source and tile have the same type and aligned rows. Eight adjacent
/// threads copy eight rows of one chunk, which are in different banks; a warp copies four such
/// groups, 64 contiguous bytes of each row. Not unrolled: the addresses of several copies would
/// take registers that the products need.
template <class Tile, class T>
EFLOW_FN void start_chunks(T* to, const View<const T>& view) {
  constexpr int kAll = Tile::kRows * Tile::kChunks;
  const int rows = limit(view.rows, Tile::kRows), columns = limit(view.columns, Tile::kColumns);
  EFLOW_ONE_BY_ONE
  for (int begin = 0; begin < kAll; begin += kThreads) {
    // Unsigned: a signed division would take several instructions more.
    const auto i = static_cast<u32>(begin + thread_index());
    if (begin + kThreads > kAll && i >= u32{kAll}) break;
    constexpr u32 kChunks = Tile::kChunks;
    const int r = static_cast<int>(i / 8 / kChunks * 8 + i % 8),
              index = static_cast<int>(i / 8 % kChunks);
    const int c = index * Tile::kPerChunk;
    const int there = max_of(0, min_of(columns - c, Tile::kPerChunk));
    const int bytes = r < rows ? there * static_cast<int>(sizeof(T)) : 0;
    const T* const from = bytes == 0 ? view.p : view.p + r * view.row_stride + c;
    if constexpr (kArch >= 80) {
      copy_async(to + Tile::chunk(r, index), from, bytes);
    } else {
      Chunk chunk{};
      if (bytes == 16) chunk = *reinterpret_cast<const Chunk*>(from);
      T part[Tile::kPerChunk];
      __builtin_memcpy(part, &chunk, sizeof chunk);
      if (bytes != 16) {
        for (int e = 0; e < Tile::kPerChunk; ++e)
          part[e] = e * static_cast<int>(sizeof(T)) < bytes ? from[e] : T{};
      }
      __builtin_memcpy(&chunk, part, sizeof chunk);
      *reinterpret_cast<Chunk*>(to + Tile::chunk(r, index)) = chunk;
    }
  }
}

/// Copies any source element by element; `row` and `column` are its strides. Adjacent threads read
/// adjacent memory.
template <class Tile, class T, class S>
EFLOW_FN void copy_elements(T* to, const S* p, Index row, Index column, Index all_rows,
                            Index all_columns) {
  const int rows = limit(all_rows, Tile::kRows), columns = limit(all_columns, Tile::kColumns);
  const bool down = row == 1 && column != 1;
  constexpr int kAll = Tile::kRows * Tile::kColumns;
  EFLOW_ONE_BY_ONE
  for (int i = thread_index(); i < kAll; i += kThreads) {
    const int r = down ? i % Tile::kRows : i / Tile::kColumns;
    const int c = down ? i / Tile::kRows : i % Tile::kColumns;
    T x{};
    if (r < rows && c < columns)
      x = narrow<T>(static_cast<Compute<T>>(widen(p[r * row + c * column])));
    to[Tile::offset(r, c)] = x;
  }
}

/// Starts filling a tile. The block may read it after finish_copies() and a barrier.
template <class Tile, class T, class S>
EFLOW_FN void start_load(T* to, const View<const S>& view) {
  if constexpr (kSameType<T, S>) {
    if (is_aligned(view, 16)) return start_chunks<Tile>(to, view);
  }
  copy_elements<Tile>(to, view.p, view.row_stride, 1, view.rows, view.columns);
}

template <class T, int R, int C, Use kUse, class S>
EFLOW_FN void load(Staged<STile<T, R, C, kUse>> tile, View<const S> view) {
  view.rows = min_of<Index>(view.rows, R);
  view.columns = min_of<Index>(view.columns, C);
  start_load<STile<T, R, C, kUse>>(tile.p, view);
}
template <class T, int R, int C, class S>
EFLOW_FN void load(Staged<BothTiles<T, R, C>> tiles, View<const S> view) {
  load(Staged<STile<T, R, C, Use::kRight>>{{tiles.right.p}}, view);
}

/// Completes this thread's copies; they are visible to the block after the next barrier.
EFLOW_FN void finish_copies() {
  if constexpr (kArch >= 80) {
    commit_copies();
    wait_copies<0>();
  }
  publish_shared_writes();
}

/// Fills a tile synchronously. The first barrier waits for readers of the old contents, the second
/// makes the new contents visible to the block.
template <class T, int R, int C, Use kUse, class S>
EFLOW_FN void load(STile<T, R, C, kUse> tile, View<const S> view) {
  block_barrier();
  load(Staged<STile<T, R, C, kUse>>{{tile.p}}, view);
  finish_copies();
  block_barrier();
}
template <class T, int R, int C, class S>
EFLOW_FN void load(BothTiles<T, R, C> tiles, View<const S> view) {
  load(tiles.right, view);
}
/// The same for a source whose rows are not contiguous.
template <class T, int R, int C, Use kUse, class S>
EFLOW_FN void load_strided(Staged<STile<T, R, C, kUse>> tile, View<const S> view,
                           Index column_stride) {
  if (column_stride == 1) return load(tile, view);
  copy_elements<STile<T, R, C, kUse>>(tile.p, view.p, view.row_stride, column_stride,
                                      min_of<Index>(view.rows, R), min_of<Index>(view.columns, C));
}
template <class T, int R, int C, Use kUse, class S>
EFLOW_FN void load_strided(STile<T, R, C, kUse> tile, View<const S> view, Index column_stride) {
  block_barrier();
  load_strided(Staged<STile<T, R, C, kUse>>{{tile.p}}, view, column_stride);
  finish_copies();
  block_barrier();
}

/// The barrier that signals the bulk copies of a stage.
inline constexpr int kMostStages = 4;
EFLOW_FN CopyBarrier* stage_barrier(int stage) {
  EFLOW_SHARED CopyBarrier all[kMostStages];
  return all + stage;
}
/// Initialises the barriers of all stages; a block barrier follows in pipeline().
template <int kStages>
EFLOW_FN void open_stages() {
  if constexpr (kBulkCopies) {
    for (int s = 0; s < kStages && thread_index() == 0; ++s) open_barrier(stage_barrier(s));
    publish_barriers();
  }
}
template <int kStages>
EFLOW_FN void close_stages() {
  if constexpr (kBulkCopies) {
    for (int s = 0; s < kStages && thread_index() == 0; ++s) close_barrier(stage_barrier(s));
  }
}
/// Issues all loads of a stage; then one thread arrives at the stage's barrier.
template <class L>
EFLOW_FN void start_stage(L&& load_stage, Index i, int stage) {
  load_stage(i, stage);
  if constexpr (kBulkCopies) {
    if (thread_index() == 0) arrive(stage_barrier(stage));
  }
}
/// Waits for the bulk copies of a stage.
EFLOW_FN void finish_stage(int stage, u32 parity) {
  if constexpr (kBulkCopies) wait_for_phase(stage_barrier(stage), parity);
}

/// Loads run kStages - 1 steps ahead of compute. Each step has one barrier: after it, this step's
/// tiles are visible to the block, and the tiles loaded next have no readers left. With bulk
/// copies, which one thread issues, all threads also wait for the stage's barrier. A single stage
/// has nothing to overlap and needs two barriers per step.
template <int kStages, class L, class F>
EFLOW_FN void pipeline(Index begin, Index end, Index step, L&& load_stage, F&& compute) {
  static_assert(kStages >= 1 && kStages <= kMostStages);
  constexpr int kAhead = kStages - 1;
  open_stages<kStages>();
  block_barrier();
  EFLOW_UNROLL
  for (int s = 0; s < kAhead; ++s) {
    if (begin + s * step < end) start_stage(load_stage, begin + s * step, s);
    if constexpr (kArch >= 80) commit_copies();
  }
  int stage = 0;
  u32 parity = 0;  // phase parity of the stages; flips after each round
  for (Index i = begin; i < end; i += step) {
    if constexpr (kAhead == 0) {
      block_barrier();
      start_stage(load_stage, i, 0);
      finish_copies();
      finish_stage(0, parity);
      block_barrier();
    } else {
      if constexpr (kArch >= 80) wait_copies<kAhead - 1>();
      publish_shared_writes();
      finish_stage(stage, parity);
      block_barrier();
      const Index next = i + kAhead * step;
      if (next < end) start_stage(load_stage, next, stage == 0 ? kAhead : stage - 1);
      if constexpr (kArch >= 80) commit_copies();
    }
    compute(i, stage);
    stage = stage == kAhead ? 0 : stage + 1;
    if (stage == 0) parity ^= 1;
  }
  close_stages<kStages>();
}

}  // namespace EFLOW_TEXT
