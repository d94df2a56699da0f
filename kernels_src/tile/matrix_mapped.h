#pragma once
// Views of which the caller has a tensor map as well. The rings of a pipeline may be loaded from them: by the GPU's copy
// engine where there is one and the text is specialised for it, else as from any view.

namespace EFLOW_TEXT {

/// A view of rows of one head, which begins at row `first` of the map's tensor. The map's box is the tile that is loaded.
template <class T>
struct MappedView : View<T> {
  const void* map;  ///< the driver's, among the arguments of the kernel
  Index first, head, sample;
};

#if defined(EFLOW_GPU)
template <class T, int R, int C, Use kUse, class S>
EFLOW_FN void load(Staged<STile<T, R, C, kUse>> tile, MappedView<const S> view) {
  if constexpr (kBulkCopies && kSameType<T, S>) {
    if (thread_index() == 0)
      copy_box(tile.p, static_cast<int>(tile.kBytes), view.map, static_cast<int>(view.first),
               static_cast<int>(view.head), static_cast<int>(view.sample),
               stage_barrier(tile.stage));
  } else {
    load(tile, static_cast<View<const S>>(view));
  }
}
template <class T, int R, int C, class S>
EFLOW_FN void load(Staged<BothTiles<T, R, C>> tiles, MappedView<const S> view) {
  load(Staged<STile<T, R, C, Use::kRight>>{{tiles.right.p}, tiles.stage}, view);
}
#endif

}  // namespace EFLOW_TEXT
