/* The products of one row of weights with one column of activations, for CPUs with AVX2, AVX-512 among them: what
   writing an answer consists of, as each token reads every weight once.

   Compiled beside llama.cpp's own functions (requirements/llama-cpp.cmake gives those another name) and called instead
   of them. The arithmetic and its order are the same, and so are the results to the last bit. What differs: each block
   asks for the weights that come AHEAD bytes later. The CPU's own prefetching follows too closely, so that arithmetic
   and memory took turns; docs/lab.md, "Writing waited for memory", has what that brings, and on which CPUs.

   Quantizing a column is here as well: llama.cpp does it value by value, which took a twentieth of reading a prompt.
*/
#include "ggml-common.h"
#include "ggml-impl.h"
#include "quants.h"

extern "C" {
void ggml_vec_dot_q4_K_q8_K_of_llama_cpp(int n, float * s, size_t bs, const void * vx, size_t bx, const void * vy,
                                         size_t by, int nrc);
void ggml_vec_dot_q6_K_q8_K_of_llama_cpp(int n, float * s, size_t bs, const void * vx, size_t bx, const void * vy,
                                         size_t by, int nrc);
void quantize_row_q8_K_of_llama_cpp(const float * x, void * y, int64_t k);
}

#if !defined(__AVX2__) || !defined(__FMA__) || !defined(__F16C__) || !defined(__GNUC__)

extern "C" void ggml_vec_dot_q4_K_q8_K(int n, float * s, size_t bs, const void * vx, size_t bx, const void * vy,
                                       size_t by, int nrc) {
    ggml_vec_dot_q4_K_q8_K_of_llama_cpp(n, s, bs, vx, bx, vy, by, nrc);
}

extern "C" void ggml_vec_dot_q6_K_q8_K(int n, float * s, size_t bs, const void * vx, size_t bx, const void * vy,
                                       size_t by, int nrc) {
    ggml_vec_dot_q6_K_q8_K_of_llama_cpp(n, s, bs, vx, bx, vy, by, nrc);
}

extern "C" void quantize_row_q8_K(const float * x, void * y, int64_t k) {
    quantize_row_q8_K_of_llama_cpp(x, y, k);
}

#else

#include <immintrin.h>

#include <cstring>

namespace {

constexpr int AHEAD = 4096; // bytes; 2,048 brought less, 8,192 and 16,384 the same

/* Asks for what lies AHEAD bytes behind a block. Beyond the last row that may be no memory at all, which is no error. */
template <typename Block> inline void prefetch(const Block * block) {
    for (size_t at = 0; at < sizeof(Block); at += 64) {
        _mm_prefetch((const char *) block + AHEAD + at, _MM_HINT_T0);
    }
}

inline __m256i load(const void * from) {
    return _mm256_loadu_si256((const __m256i *) from);
}

inline __m128 halves(__m256 v) {
    return _mm_add_ps(_mm256_extractf128_ps(v, 1), _mm256_castps256_ps128(v));
}

inline float sum(__m128 v) {
    v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)));
}

/* A block's 8 scales (first half) and 8 minima (second), of 16 bits. 12 bytes hold six bits of each: of the first four
   of either in the low bits of a byte, of the last four half in the top bits of those, half in a nibble. */
inline __m256i scales_and_mins(const uint8_t * packed) {
    uint32_t word[3];
    memcpy(word, packed, 12);
    const uint32_t last = (word[2] & 0x0f0f0f0f) | ((word[0] >> 2) & 0x30303030);
    const uint32_t last_min = ((word[2] >> 4) & 0x0f0f0f0f) | ((word[1] >> 2) & 0x30303030);
    return _mm256_cvtepu8_epi16(_mm_setr_epi32((int32_t) (word[0] & 0x3f3f3f3f), (int32_t) last,
                                               (int32_t) (word[1] & 0x3f3f3f3f), (int32_t) last_min));
}

/* [8 sums of 32 bits] of a subblock's codes by a column's, times the subblock's scales: 16 of 16 bits. */
inline __m256i scaled(__m256i codes, const int8_t * column, __m256i scales) {
    return _mm256_madd_epi16(_mm256_maddubs_epi16(codes, load(column)), scales);
}

} // namespace

/* *s = the product of n weights of q4_K (a multiple of 256) and as many activations. */
extern "C" void ggml_vec_dot_q4_K_q8_K(int n, float * s, size_t, const void * vx, size_t, const void * vy, size_t, int) {
    const block_q4_K * weights = (const block_q4_K *) vx;
    const block_q8_K * columns = (const block_q8_K *) vy;
    const __m256i low = _mm256_set1_epi8(0x0f);
    __m256 total = _mm256_setzero_ps();
    __m128 least = _mm_setzero_ps();
    for (int i = 0; i < n / QK_K; i++) {
        const block_q4_K & w = weights[i];
        const block_q8_K & y = columns[i];
        prefetch(&w);
        const __m256i both = scales_and_mins(w.scales);
        const __m256i of16 = load(y.bsums);
        const __m128i of32 = _mm_hadd_epi16(_mm256_castsi256_si128(of16), _mm256_extracti128_si256(of16, 1));
        const __m128i mins = _mm_madd_epi16(_mm256_extracti128_si256(both, 1), of32);
        least = _mm_fmadd_ps(_mm_set1_ps(-y.d * _cvtsh_ss(w.dmin)), _mm_cvtepi32_ps(mins), least);

        const __m256i scales = _mm256_permute4x64_epi64(both, 0x44); // all 8 in each lane
        __m256i whole = _mm256_setzero_si256();
#pragma GCC unroll 4
        for (int p = 0; p < QK_K / 64; p++) { // two subblocks
            const __m256i first = _mm256_set1_epi16((int16_t) (4 * p | (4 * p + 1) << 8)); // the bytes of a scale
            const __m256i second = _mm256_add_epi8(first, _mm256_set1_epi8(2));
            const __m256i codes = load(&w.qs[32 * p]);
            const __m256i a = scaled(_mm256_and_si256(codes, low), &y.qs[64 * p], _mm256_shuffle_epi8(scales, first));
            const __m256i b = scaled(_mm256_and_si256(_mm256_srli_epi16(codes, 4), low), &y.qs[64 * p + 32],
                                     _mm256_shuffle_epi8(scales, second));
            whole = _mm256_add_epi32(whole, _mm256_add_epi32(a, b));
        }
        total = _mm256_fmadd_ps(_mm256_set1_ps(y.d * _cvtsh_ss(w.d)), _mm256_cvtepi32_ps(whole), total);
    }
    *s = sum(halves(total)) + sum(least);
}

/* *s = the product of n weights of q6_K (a multiple of 256) and as many activations. */
extern "C" void ggml_vec_dot_q6_K_q8_K(int n, float * s, size_t, const void * vx, size_t, const void * vy, size_t, int) {
    const block_q6_K * weights = (const block_q6_K *) vx;
    const block_q8_K * columns = (const block_q8_K *) vy;
    const __m256i low = _mm256_set1_epi8(0x0f), high = _mm256_set1_epi8(0x30);
    // The bytes of two scales, one for each lane: a subblock of q6_K has 16 codes.
    const __m256i first = _mm256_setr_epi8(0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, //
                                           2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3);
    __m256 total = _mm256_setzero_ps();
    for (int i = 0; i < n / QK_K; i++) {
        const block_q6_K & w = weights[i];
        const block_q8_K & y = columns[i];
        prefetch(&w);
        const __m256i scales = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *) w.scales));
        // The codes are 0 to 63 and stand for -32 to 31.
        const __m256i bias = _mm256_slli_epi32(_mm256_madd_epi16(load(y.bsums), scales), 5);
        __m256i whole = _mm256_sub_epi32(_mm256_setzero_si256(), bias);
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++) {
            const __m256i l0 = load(&w.ql[64 * half]), l1 = load(&w.ql[64 * half + 32]), h = load(&w.qh[32 * half]);
            const __m256i of_half = _mm256_permute4x64_epi64(scales, half ? 0xee : 0x44);
            const __m256i codes[4] = {
                _mm256_or_si256(_mm256_and_si256(l0, low), _mm256_and_si256(_mm256_slli_epi16(h, 4), high)),
                _mm256_or_si256(_mm256_and_si256(l1, low), _mm256_and_si256(_mm256_slli_epi16(h, 2), high)),
                _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi16(l0, 4), low), _mm256_and_si256(h, high)),
                _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi16(l1, 4), low),
                                _mm256_and_si256(_mm256_srli_epi16(h, 2), high)),
            };
#pragma GCC unroll 4
            for (int p = 0; p < 4; p++) { // two subblocks
                const __m256i two = _mm256_shuffle_epi8(of_half, _mm256_add_epi8(first, _mm256_set1_epi8((char) (4 * p))));
                whole = _mm256_add_epi32(whole, scaled(codes[p], &y.qs[128 * half + 32 * p], two));
            }
        }
        total = _mm256_fmadd_ps(_mm256_set1_ps(y.d * _cvtsh_ss(w.d)), _mm256_cvtepi32_ps(whole), total);
    }
    *s = sum(halves(total));
}

/* Writes k activations (a multiple of 256) as block_q8_K: what is largest in a block, and first, becomes -127. */
extern "C" void quantize_row_q8_K(const float * x, void * vy, int64_t k) {
    block_q8_K * y = (block_q8_K *) vy;
    const __m256 sign = _mm256_set1_ps(-0.0f);
    for (int64_t i = 0; i < k / QK_K; i++, x += QK_K) {
        __m256 most = _mm256_setzero_ps();
        for (int j = 0; j < QK_K; j += 8) { // in this order, what is no number is passed over
            most = _mm256_max_ps(_mm256_andnot_ps(sign, _mm256_loadu_ps(x + j)), most);
        }
        __m128 four = _mm_max_ps(_mm256_extractf128_ps(most, 1), _mm256_castps256_ps128(most));
        four = _mm_max_ps(four, _mm_movehl_ps(four, four));
        const float largest = _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
        if (largest == 0) {
            memset(&y[i], 0, sizeof(y[i]));
            continue;
        }
        float signed_largest = largest;
        for (int j = 0; j < QK_K; j += 8) {
            const __m256 values = _mm256_loadu_ps(x + j);
            const __m256 found = _mm256_cmp_ps(_mm256_andnot_ps(sign, values), _mm256_set1_ps(largest), _CMP_EQ_OQ);
            if (const int mask = _mm256_movemask_ps(found)) {
                signed_largest = x[j + __builtin_ctz((unsigned) mask)];
                break;
            }
        }
        const float scale = -127.f / signed_largest;
        const __m256 by = _mm256_set1_ps(scale);
        const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7); // as packing interleaves the lanes
        for (int j = 0; j < QK_K; j += 32) {
            __m256i codes[4];
            for (int u = 0; u < 4; u++) {
                codes[u] = _mm256_cvtps_epi32(_mm256_mul_ps(by, _mm256_loadu_ps(x + j + 8 * u)));
            }
            const __m256i a = _mm256_packs_epi32(codes[0], codes[1]), b = _mm256_packs_epi32(codes[2], codes[3]);
            const __m256i packed = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(a, b), order);
            _mm256_storeu_si256((__m256i *) &y[i].qs[j], packed);
            const __m256i sums[2] = { _mm256_madd_epi16(a, _mm256_set1_epi16(1)), _mm256_madd_epi16(b, _mm256_set1_epi16(1)) };
            for (int u = 0; u < 2; u++) {
                __m128i four_sums = _mm_add_epi32(_mm256_castsi256_si128(sums[u]), _mm256_extracti128_si256(sums[u], 1));
                four_sums = _mm_add_epi32(four_sums, _mm_shuffle_epi32(four_sums, 0x4e));
                four_sums = _mm_add_epi32(four_sums, _mm_shuffle_epi32(four_sums, 0xb1));
                y[i].bsums[j / 16 + u] = (int16_t) _mm_cvtsi128_si32(four_sums);
            }
        }
        y[i].d = 1 / scale;
    }
}

#endif
