// A cuBLASLt that multiplies nothing: it accepts descriptors, offers one algorithm per problem and counts products.
// EFLOW_CUBLASLT names it. See libcuda.cpp in this folder for what it is for.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

struct Heuristic {
  std::uint64_t algorithm[8];
  std::size_t workspace;
  int state;
  float waves;
  int reserved[4];
};

struct Reporter {
  long products = 0;
  ~Reporter() {
    const char* path = std::getenv("EFLOW_DRIVER_REPORT");
    std::FILE* out = path != nullptr ? std::fopen(path, "a") : nullptr;
    if (out == nullptr) return;
    std::fprintf(out, "products %ld\n", products);
    std::fclose(out);
  }
} reporter;

int create(void** handle) {
  return *handle = new char, 0;
}
int destroy(void* handle) {
  return delete static_cast<char*>(handle), 0;
}

}  // namespace

extern "C" {

int cublasLtCreate(void** handle) {
  return create(handle);
}
int cublasLtDestroy(void* handle) {
  return destroy(handle);
}
const char* cublasLtGetStatusString(int) {
  return "refused by the library that multiplies nothing";
}
std::size_t cublasLtGetVersion() {
  return 130100;
}

int cublasLtMatmulDescCreate(void** d, int, int) {
  return create(d);
}
int cublasLtMatmulDescDestroy(void* d) {
  return destroy(d);
}
int cublasLtMatmulDescSetAttribute(void*, int, const void*, std::size_t) {
  return 0;
}
int cublasLtMatrixLayoutCreate(void** l, int, std::uint64_t, std::uint64_t, std::int64_t) {
  return create(l);
}
int cublasLtMatrixLayoutDestroy(void* l) {
  return destroy(l);
}
int cublasLtMatrixLayoutSetAttribute(void*, int, const void*, std::size_t) {
  return 0;
}
int cublasLtMatmulPreferenceCreate(void** p) {
  return create(p);
}
int cublasLtMatmulPreferenceDestroy(void* p) {
  return destroy(p);
}
int cublasLtMatmulPreferenceSetAttribute(void*, int, const void*, std::size_t) {
  return 0;
}

int cublasLtMatmulAlgoGetHeuristic(void*, void*, void*, void*, void*, void*, void*, int,
                                   Heuristic* results, int* found) {
  std::memset(results, 0, sizeof *results);
  return *found = 1, 0;
}
int cublasLtMatmulAlgoCheck(void*, void*, void*, void*, void*, void*, const void*,
                            Heuristic* result) {
  return std::memset(result, 0, sizeof *result), 0;
}
int cublasLtMatmulAlgoConfigGetAttribute(const void*, int, void* value, std::size_t bytes,
                                         std::size_t* written) {
  std::memset(value, 0, bytes);
  return *written = bytes, 0;
}
int cublasLtMatmul(void*, void*, const void*, const void*, void*, const void*, void*, const void*,
                   const void*, void*, void*, void*, const void*, void*, std::size_t, void*) {
  return ++reporter.products, 0;
}

}  // extern "C"
