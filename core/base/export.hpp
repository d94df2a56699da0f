#pragma once
// What a shared library of ours exports. Libraries are compiled with hidden visibility; between these two lines every
// declaration, with all members of a class, is visible to programs that link the library. In a static library they mean
// nothing.

#if defined(__GNUC__)
#define EFLOW_EXPORT_BEGIN _Pragma("GCC visibility push(default)")
#define EFLOW_EXPORT_END _Pragma("GCC visibility pop")
#else
#define EFLOW_EXPORT_BEGIN
#define EFLOW_EXPORT_END
#endif
