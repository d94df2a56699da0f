#pragma once
// ArgumentTypes: the types of the fields of an argument struct, as one byte each. A text's are compiled
// into its kernel and the host's are passed to each launch, which compares them
// (jit/arguments/argument_types.hpp). The program around a text includes it, so texts need not.
//
// A field's type is asked for one bit of its code at a time: Bit<5> converts to exactly the types whose
// code has bit 5, so Args{Any, Any, Bit<5>} is valid if the third field's code has it.

#ifndef EFLOW_TEXT
#define EFLOW_TEXT eflow_text
#endif

namespace EFLOW_TEXT {

struct bf16;  // types.h
struct f16;
struct e4m3;
struct e5m2;

/// Codes of types: a number of the list, or that of a pointer's target plus kPointer and kConst.
/// Structs by value have all bits, so that each Bit converts to the whole struct.
enum ArgumentCode : unsigned char {
  kAnyCode,  ///< the target of void* and of pointers to types that are none of these
  kBoolCode,
  kI8Code,
  kU8Code,
  kI16Code,
  kU16Code,
  kI32Code,
  kU32Code,
  kI64Code,
  kU64Code,
  kF32Code,
  kF64Code,
  kBf16Code,
  kF16Code,
  kE4m3Code,
  kE5m2Code,
  kConstCode = 32,
  kPointerCode = 64,
  kStructCode = 127,
};
inline constexpr int kCodeBits = 7;

/// Found in compiled images by its mark.
struct ArgumentTypes {
  static constexpr int kMost = 48;  ///< fields
  static constexpr unsigned char kUnknown =
      255;  ///< as the count: not an aggregate, or too many fields
  unsigned char mark[8];
  unsigned char count;
  unsigned char code[kMost];
};

template <class T>
struct CodeOf {
  static constexpr unsigned char value = kAnyCode;
};
template <class T>
struct TargetCodeOf : CodeOf<T> {};
template <class T>
struct TargetCodeOf<const T> {
  static constexpr unsigned char value = CodeOf<T>::value | kConstCode;
};
template <class T>
struct TargetCodeOf<T*> {
  static constexpr unsigned char value = kAnyCode;
};
template <class T>
struct TargetCodeOf<T* const> {
  static constexpr unsigned char value = kAnyCode | kConstCode;
};
template <class T>
struct CodeOf<T*> {
  static constexpr unsigned char value = TargetCodeOf<T>::value | kPointerCode;
};

#define EFLOW_CODE(T, code)                      \
  template <>                                    \
  struct CodeOf<T> {                             \
    static constexpr unsigned char value = code; \
  };
EFLOW_CODE(bool, kBoolCode)
EFLOW_CODE(char, kI8Code)
EFLOW_CODE(signed char, kI8Code)
EFLOW_CODE(unsigned char, kU8Code)
EFLOW_CODE(short, kI16Code)
EFLOW_CODE(unsigned short, kU16Code)
EFLOW_CODE(int, kI32Code)
EFLOW_CODE(unsigned int, kU32Code)
EFLOW_CODE(long, kI64Code)
EFLOW_CODE(long long, kI64Code)
EFLOW_CODE(unsigned long, kU64Code)
EFLOW_CODE(unsigned long long, kU64Code)
EFLOW_CODE(float, kF32Code)
EFLOW_CODE(double, kF64Code)
EFLOW_CODE(bf16, kBf16Code)
EFLOW_CODE(f16, kF16Code)
EFLOW_CODE(e4m3, kE4m3Code)
EFLOW_CODE(e5m2, kE5m2Code)
#undef EFLOW_CODE

/// A field's code: that of its type, of an enum the integer's. All classes are structs, bf16 included:
/// what no Bit converts to would be initialised member by member.
template <class T, bool = __is_enum(T), bool = __is_class(T) || __is_union(T)>
struct FieldCodeOf : CodeOf<T> {};
template <class T>
struct FieldCodeOf<T, true, false> : CodeOf<__underlying_type(T)> {};
template <class T>
struct FieldCodeOf<T, false, true> {
  static constexpr unsigned char value = kStructCode;
};

struct AnyField {
  template <class T>
  operator T() const;
};
template <int bit>
struct BitField {
  template <class T>
  requires((FieldCodeOf<T>::value >> bit & 1) != 0) operator T() const;
};
template <int>
using AnyAt = AnyField;

template <int... I>
struct Places {};
template <int N, int... I>
struct PlacesUpTo : PlacesUpTo<N - 1, N - 1, I...> {};
template <int... I>
struct PlacesUpTo<0, I...> {
  using type = Places<I...>;
};

template <class Args, class... Last, int... I>
constexpr bool can_begin_with(Places<I...>) {
  return requires {
    Args{AnyAt<I>()..., Last()...};
  };
}

/// The number of fields, those of arrays one by one; more than `high` count as `high` + 1.
template <class Args, int low = 0, int high = ArgumentTypes::kMost + 1>
constexpr int field_count() {
  if constexpr (low == high) {
    return low;
  } else {
    constexpr int middle = (low + high + 1) / 2;
    if constexpr (can_begin_with<Args>(typename PlacesUpTo<middle>::type()))
      return field_count<Args, middle, high>();
    else
      return field_count<Args, low, middle - 1>();
  }
}

template <class Args, int place, int bit = 0>
constexpr unsigned char field_code() {
  if constexpr (bit == kCodeBits) {
    return 0;
  } else {
    return static_cast<unsigned char>(
        (can_begin_with<Args, BitField<bit>>(typename PlacesUpTo<place>::type()) ? 1 << bit : 0) |
        field_code<Args, place, bit + 1>());
  }
}

template <class Args, int... I>
constexpr ArgumentTypes argument_types_at(Places<I...>) {
  return {{'E', 'F', 'L', 'W', 'A', 'R', 'G', 'S'},
          static_cast<unsigned char>(sizeof...(I)),
          {field_code<Args, I>()...}};
}

template <class Args>
constexpr ArgumentTypes argument_types() {
  constexpr ArgumentTypes unknown{
      {'E', 'F', 'L', 'W', 'A', 'R', 'G', 'S'}, ArgumentTypes::kUnknown, {}};
  if constexpr (!__is_aggregate(Args)) {
    return unknown;
  } else {
    constexpr int count = field_count<Args>();
    if constexpr (count > ArgumentTypes::kMost)
      return unknown;
    else
      return argument_types_at<Args>(typename PlacesUpTo<count>::type());
  }
}

}  // namespace EFLOW_TEXT
