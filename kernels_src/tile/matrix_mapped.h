#pragma once
// Views that come with a tensor map. A pipeline's ring loads them by bulk copy if the device has
// TMA and the text is specialised for it (EFLOW_BULK_COPIES), otherwise like any view.

namespace EFLOW_TEXT {

/// A view of rows of one head, beginning at row `first` of the map's tensor. The map's box is one
/// tile.
template <class T>
struct MappedView : View<T> {
  const void* map;  ///< the driver's CUtensorMap, inside the kernel's arguments
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
