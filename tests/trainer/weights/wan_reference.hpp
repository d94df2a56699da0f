#pragma once
// Wan 2.1's transformer and AnyFlow's, in plain loops and f64, from the definitions of their own
// programs and under diffusers' names: a reference that shares no code with eflow.

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace eflow::test {

using Numbers = std::vector<double>;

struct WanReference {
  // Small enough for loops. RoPE shares heads of 16 unevenly among t, h and w: 8, 4, 4.
  int channels = 3, frames = 2, height = 4, width = 6;
  int pt = 1, ph = 2, pw = 2;
  int heads = 2, head_width = 16, hidden = 40, blocks = 3, text_width = 5, text_tokens = 4;
  double gate = 0;          ///< g of AnyFlow; 0: Wan
  bool delta_is_r = false;  ///< the delta embedder sees r, else t - r
  std::map<std::string, Numbers> weights = {};

  [[nodiscard]] int dim() const { return heads * head_width; }
  [[nodiscard]] int patch_values() const { return channels * pt * ph * pw; }
  [[nodiscard]] int tokens() const { return frames / pt * (height / ph) * (width / pw); }

  /// Declares every weight; `draw` gives its values.
  template <class Draw>
  void make(const Draw& draw) {
    const int d = dim();
    const auto linear = [&](const std::string& name, int out, int in) {
      weights[name + ".weight"] = draw(name + ".weight", out * in, 1 / std::sqrt(in));
      weights[name + ".bias"] = draw(name + ".bias", out, 0.2);
    };
    const auto vector = [&](const std::string& name, int size) {
      weights[name] = draw(name, size, 0.3);
    };
    linear("patch_embedding", d, patch_values());
    for (const char* e : {"time_embedder", "delta_embedder"}) {
      if (gate == 0 && std::string(e) == "delta_embedder") continue;
      linear(std::string("condition_embedder.") + e + ".linear_1", d, 256);
      linear(std::string("condition_embedder.") + e + ".linear_2", d, d);
    }
    linear("condition_embedder.time_proj", 6 * d, d);
    linear("condition_embedder.text_embedder.linear_1", d, text_width);
    linear("condition_embedder.text_embedder.linear_2", d, d);
    for (int n = 0; n < blocks; ++n) {
      const std::string b = "blocks." + std::to_string(n) + ".";
      for (const char* a : {"attn1.", "attn2."}) {
        for (const char* p : {"to_q", "to_k", "to_v", "to_out.0"}) linear(b + a + p, d, d);
        for (const char* p : {"norm_q.weight", "norm_k.weight"}) vector(b + a + p, d);
      }
      vector(b + "norm2.weight", d);
      vector(b + "norm2.bias", d);
      linear(b + "ffn.net.0.proj", hidden, d);
      linear(b + "ffn.net.2", d, hidden);
      vector(b + "scale_shift_table", 6 * d);
    }
    vector("scale_shift_table", 2 * d);
    linear("proj_out", patch_values(), d);
  }

  /// The velocity of one clip [C, T, H, W] at times of 0..1000, given text [tokens, width].
  [[nodiscard]] Numbers operator()(const Numbers& x, double t, double r,
                                   const Numbers& text) const {
    const int d = dim(), n = tokens();
    Numbers e = embedded("time_embedder", t);
    if (gate > 0) {
      const Numbers delta = embedded("delta_embedder", delta_is_r ? r : t - r);
      for (int i = 0; i < d; ++i) e[i] = (1 - gate) * e[i] + gate * delta[i];
    }
    const Numbers shared = linear("condition_embedder.time_proj", mapped(e, silu), d, 6 * d);
    Numbers context = linear("condition_embedder.text_embedder.linear_1", text, text_width, d);
    context = linear("condition_embedder.text_embedder.linear_2", mapped(context, gelu), d, d);
    Numbers h = linear("patch_embedding", patches(x), patch_values(), d);
    for (int b = 0; b < blocks; ++b)
      h = block("blocks." + std::to_string(b) + ".", h, shared, context);
    const Numbers& table = weights.at("scale_shift_table");
    Numbers y = layer_norm(h);
    for (int i = 0; i < n * d; ++i) {
      const int c = i % d;
      y[i] = y[i] * (1 + table[d + c] + e[c]) + table[c] + e[c];
    }
    return unpatched(linear("proj_out", y, d, patch_values()));
  }

 private:
  static double silu(double v) { return v / (1 + std::exp(-v)); }
  static double gelu(double v) {
    return 0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
  }
  static Numbers mapped(Numbers values, double (*f)(double)) {
    for (double& v : values) v = f(v);
    return values;
  }

  [[nodiscard]] Numbers linear(const std::string& name, const Numbers& x, int in, int out) const {
    const Numbers &w = weights.at(name + ".weight"), &b = weights.at(name + ".bias");
    const int rows = static_cast<int>(x.size()) / in;
    Numbers y(static_cast<std::size_t>(rows * out));
    for (int i = 0; i < rows; ++i) {
      for (int o = 0; o < out; ++o) {
        double sum = b[o];
        for (int k = 0; k < in; ++k) sum += w[o * in + k] * x[i * in + k];
        y[i * out + o] = sum;
      }
    }
    return y;
  }

  /// [cos | sin] of 128 frequencies, then two layers.
  [[nodiscard]] Numbers embedded(const std::string& name, double time) const {
    Numbers s(256);
    for (int k = 0; k < 128; ++k) {
      const double angle = time * std::pow(10000.0, -k / 128.0);
      s[k] = std::cos(angle);
      s[128 + k] = std::sin(angle);
    }
    const std::string at = "condition_embedder." + name;
    return linear(at + ".linear_2", mapped(linear(at + ".linear_1", s, 256, dim()), silu), dim(),
                  dim());
  }

  /// Index of voxel (c, t, h, w) of the patch at token (i, j, k).
  [[nodiscard]] int voxel(int c, int i, int a, int j, int b, int k, int g) const {
    return ((c * frames + i * pt + a) * height + j * ph + b) * width + k * pw + g;
  }
  /// Calls f(token, index in a patch (c, a, b, g), index in an output patch (a, b, g, c), voxel).
  template <class F>
  void for_patches(const F& f) const {
    int token = 0;
    for (int i = 0; i < frames / pt; ++i)
      for (int j = 0; j < height / ph; ++j)
        for (int k = 0; k < width / pw; ++k, ++token)
          for (int c = 0; c < channels; ++c)
            for (int a = 0; a < pt; ++a)
              for (int b = 0; b < ph; ++b)
                for (int g = 0; g < pw; ++g)
                  f(token, ((c * pt + a) * ph + b) * pw + g, ((a * ph + b) * pw + g) * channels + c,
                    voxel(c, i, a, j, b, k, g));
  }
  [[nodiscard]] Numbers patches(const Numbers& x) const {
    Numbers p(x.size());
    for_patches([&](int token, int in, int, int at) { p[token * patch_values() + in] = x[at]; });
    return p;
  }
  [[nodiscard]] Numbers unpatched(const Numbers& y) const {
    Numbers x(y.size());
    for_patches([&](int token, int, int out, int at) { x[at] = y[token * patch_values() + out]; });
    return x;
  }

  [[nodiscard]] Numbers layer_norm(Numbers x) const {
    const int d = dim();
    for (std::size_t row = 0; row < x.size(); row += static_cast<std::size_t>(d)) {
      double mean = 0, square = 0;
      for (int i = 0; i < d; ++i) mean += x[row + i] / d;
      for (int i = 0; i < d; ++i) square += (x[row + i] - mean) * (x[row + i] - mean) / d;
      for (int i = 0; i < d; ++i) x[row + i] = (x[row + i] - mean) / std::sqrt(square + 1e-6);
    }
    return x;
  }
  [[nodiscard]] Numbers rms_norm(const std::string& name, Numbers x) const {
    const Numbers& w = weights.at(name);
    const int d = dim();
    for (std::size_t row = 0; row < x.size(); row += static_cast<std::size_t>(d)) {
      double square = 0;
      for (int i = 0; i < d; ++i) square += x[row + i] * x[row + i] / d;
      for (int i = 0; i < d; ++i) x[row + i] *= w[i] / std::sqrt(square + 1e-6);
    }
    return x;
  }

  /// Rotates adjacent pairs of each head by the token's position: h and w have 2 (d / 6) channels
  /// each, t the rest; each axis has frequencies of its own.
  void rope(Numbers* x) const {
    const int side = 2 * (head_width / 6), axis[3] = {head_width - 2 * side, side, side};
    for (int token = 0; token < tokens(); ++token) {
      const int w = width / pw, hw = height / ph * w;
      const int position[3] = {token / hw, token % hw / w, token % w};
      for (int head = 0; head < heads; ++head) {
        int at = token * dim() + head * head_width;
        for (int a = 0; a < 3; ++a) {
          for (int i = 0; i < axis[a] / 2; ++i, at += 2) {
            const double angle = position[a] * std::pow(10000.0, -2.0 * i / axis[a]);
            const double even = (*x)[at], odd = (*x)[at + 1];
            (*x)[at] = even * std::cos(angle) - odd * std::sin(angle);
            (*x)[at + 1] = even * std::sin(angle) + odd * std::cos(angle);
          }
        }
      }
    }
  }

  [[nodiscard]] Numbers attention(const std::string& name, const Numbers& x, const Numbers& other,
                                  bool rotates) const {
    const int d = dim(), n = static_cast<int>(x.size()) / d, m = static_cast<int>(other.size()) / d;
    Numbers q = rms_norm(name + "norm_q.weight", linear(name + "to_q", x, d, d));
    Numbers k = rms_norm(name + "norm_k.weight", linear(name + "to_k", other, d, d));
    const Numbers v = linear(name + "to_v", other, d, d);
    if (rotates) rope(&q), rope(&k);
    Numbers y(x.size());
    for (int head = 0; head < heads; ++head) {
      for (int i = 0; i < n; ++i) {
        Numbers p(static_cast<std::size_t>(m));
        double total = 0;
        for (int j = 0; j < m; ++j) {
          double score = 0;
          for (int c = head * head_width; c < (head + 1) * head_width; ++c)
            score += q[i * d + c] * k[j * d + c];
          total += p[j] = std::exp(score / std::sqrt(head_width));
        }
        for (int j = 0; j < m; ++j)
          for (int c = head * head_width; c < (head + 1) * head_width; ++c)
            y[i * d + c] += p[j] / total * v[j * d + c];
      }
    }
    return linear(name + "to_out.0", y, d, d);
  }

  [[nodiscard]] Numbers block(const std::string& b, Numbers h, const Numbers& shared,
                              const Numbers& context) const {
    const int d = dim();
    const Numbers& table = weights.at(b + "scale_shift_table");
    const auto m = [&](int row, std::size_t i) {
      const int at = row * d + static_cast<int>(i) % d;
      return table[at] + shared[at];
    };
    const auto branch = [&](int first, const auto& f) {
      Numbers y = layer_norm(h);
      for (std::size_t i = 0; i < y.size(); ++i) y[i] = y[i] * (1 + m(first + 1, i)) + m(first, i);
      y = f(y);
      for (std::size_t i = 0; i < y.size(); ++i) h[i] += m(first + 2, i) * y[i];
    };
    branch(0, [&](const Numbers& y) { return attention(b + "attn1.", y, y, true); });
    Numbers y = layer_norm(h);
    const Numbers &w = weights.at(b + "norm2.weight"), &bias = weights.at(b + "norm2.bias");
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = y[i] * w[i % d] + bias[i % d];
    y = attention(b + "attn2.", y, context, false);
    for (std::size_t i = 0; i < h.size(); ++i) h[i] += y[i];
    branch(3, [&](const Numbers& z) {
      return linear(b + "ffn.net.2", mapped(linear(b + "ffn.net.0.proj", z, d, hidden), gelu),
                    hidden, d);
    });
    return h;
  }
};

}  // namespace eflow::test
