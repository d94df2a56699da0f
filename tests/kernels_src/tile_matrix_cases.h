#pragma once
// How tile_matrix_cases.cpp, compiled for several instruction sets, tells its caller what it found.

struct TileReport {
  void* context;
  void (*sink)(void* context, const char* what, double error, double limit);
  void operator()(const char* what, double error, double limit) const {
    sink(context, what, error, limit);
  }
};
