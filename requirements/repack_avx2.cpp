/* The matrix product of llama.cpp's repacked q4_K weights, for CPUs with AVX2 that lack AVX-512: many laptops.

   Called instead of llama.cpp's own ggml_gemm_q4_K_8x8_q8_K (requirements/llama-cpp.cmake gives that one another name),
   which goes on to serve CPUs with AVX-512. It computes the same integers; only sums of floats may differ in rounding.

   What is multiplied: 8 rows of weights (codes of 4 bits in blocks of 256; each 32 codes, a subblock, have a scale and a
   minimum of 6 bits) by 4 columns of activations in 8 bits. A block's codes are unpacked once and used for up to 128
   columns. A register holds 8 codes of each of 4 rows; as no product of two pairs is over 2 x 15 x 128, the four of a
   subblock are added up in 16 bits before the scale is multiplied in, and nothing is summed across a register until the
   block is done.
*/
#include "ggml-common.h"
#include "ggml-impl.h"
#include "repack.h"

extern "C" void ggml_gemm_q4_K_8x8_q8_K_of_llama_cpp(int n, float * s, size_t bs, const void * vx, const void * vy,
                                                     int nr, int nc);

#if !defined(__AVX2__) || !defined(__FMA__) || !defined(__F16C__) || defined(__AVX512F__) || !defined(__GNUC__)

extern "C" void ggml_gemm_q4_K_8x8_q8_K(int n, float * s, size_t bs, const void * vx, const void * vy, int nr, int nc) {
    ggml_gemm_q4_K_8x8_q8_K_of_llama_cpp(n, s, bs, vx, vy, nr, nc);
}

#else

#include <immintrin.h>

#include <cstring>

namespace {

constexpr int WIDE = 32;  // groups of four columns for which a block is unpacked: their sums fill 4 kB
constexpr int SUBBLOCKS = 8;
constexpr int STEPS = 4;  // of 8 codes, in a subblock

// What is left of 8 rows' sums after one horizontal addition stands in this order; all that is held for rows does.
const __m256i ORDER = _mm256_setr_epi32(0, 1, 4, 5, 2, 3, 6, 7); // its own inverse

/* A block of 8 rows as the kernel reads it. */
struct Unpacked {
    alignas(32) uint8_t codes[SUBBLOCKS][STEPS][2][32]; // two halves of 4 rows, 8 codes each
    __m256i scales[SUBBLOCKS][2];                       // of 16 bits, each row's four times, as the codes lie
    __m256i mins[SUBBLOCKS / 2];                        // of 16 bits: two subblocks' of each row
    __m256 d, dmin;
};

/* The scales (first 8 bytes) and minima (last 8) of a subblock's rows. 12 bytes hold six bits of each: of the first
   four of either in the low bits of a byte, of the last four half in the top bits of those, half in a nibble. */
inline __m128i scales_and_mins(const uint8_t * packed) {
    uint32_t word[3];
    memcpy(word, packed, 12);
    const uint32_t last = ((word[2] >> 0) & 0x0f0f0f0f) | ((word[0] >> 2) & 0x30303030);
    const uint32_t last_min = ((word[2] >> 4) & 0x0f0f0f0f) | ((word[1] >> 2) & 0x30303030);
    return _mm_setr_epi32((int32_t) (word[0] & 0x3f3f3f3f), (int32_t) last, (int32_t) (word[1] & 0x3f3f3f3f),
                          (int32_t) last_min);
}

inline __m256 rows_in_order(const ggml_half * values) {
    const __m256 rows = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *) values));
    return _mm256_permutevar8x32_ps(rows, ORDER);
}

void unpack(const block_q4_Kx8 & block, Unpacked & to) {
    const __m256i low = _mm256_set1_epi8(0x0f);
    for (int p = 0; p < SUBBLOCKS / 2; p++) {
        for (int step = 0; step < STEPS; step++) {
            for (int half = 0; half < 2; half++) {
                const uint8_t * from = &block.qs[(p * STEPS + step) * 64 + half * 32];
                const __m256i both = _mm256_loadu_si256((const __m256i *) from);
                _mm256_store_si256((__m256i *) to.codes[2 * p][step][half], _mm256_and_si256(both, low));
                _mm256_store_si256((__m256i *) to.codes[2 * p + 1][step][half],
                                   _mm256_and_si256(_mm256_srli_epi16(both, 4), low));
            }
        }
    }
    __m256i mins[SUBBLOCKS];
    for (int s = 0; s < SUBBLOCKS; s++) {
        const __m256i both = _mm256_cvtepu8_epi16(scales_and_mins(&block.scales[12 * s]));
        const __m256i scales = _mm256_permute4x64_epi64(both, 0x44); // 8 rows' in each lane
        const __m256i first = _mm256_setr_epi8(0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3, //
                                               4, 5, 4, 5, 4, 5, 4, 5, 6, 7, 6, 7, 6, 7, 6, 7);
        to.scales[s][0] = _mm256_shuffle_epi8(scales, first);
        to.scales[s][1] = _mm256_shuffle_epi8(scales, _mm256_add_epi8(first, _mm256_set1_epi8(8)));
        mins[s] = _mm256_cvtepu16_epi32(_mm256_extracti128_si256(both, 1));
    }
    for (int p = 0; p < SUBBLOCKS / 2; p++) {
        const __m256i two = _mm256_or_si256(mins[2 * p], _mm256_slli_epi32(mins[2 * p + 1], 16));
        to.mins[p] = _mm256_permutevar8x32_epi32(two, ORDER);
    }
    to.d = rows_in_order(block.d);
    to.dmin = rows_in_order(block.dmin);
}

inline __m256i eight_codes(const int8_t * q) {
    int64_t codes;
    memcpy(&codes, q, 8);
    return _mm256_set1_epi64x(codes);
}

/* Adds to sums [4 columns] of 8 rows what a block gives. */
inline void add_block(const Unpacked & w, const block_q8_Kx4 & columns, __m256 * sums) {
    __m256i total[2][4];
    for (int m = 0; m < 4; m++) {
        total[0][m] = total[1][m] = _mm256_setzero_si256();
    }
    for (int s = 0; s < SUBBLOCKS; s++) {
        const int8_t * codes = &columns.qs[s * 128];
        __m256i sum[2][4];
#pragma GCC unroll 4
        for (int step = 0; step < STEPS; step++) {
            const __m256i first = _mm256_load_si256((const __m256i *) w.codes[s][step][0]);
            const __m256i second = _mm256_load_si256((const __m256i *) w.codes[s][step][1]);
#pragma GCC unroll 4
            for (int m = 0; m < 4; m++) {
                const __m256i column = eight_codes(codes + step * 32 + m * 8);
                const __m256i a = _mm256_maddubs_epi16(first, column);
                const __m256i b = _mm256_maddubs_epi16(second, column);
                sum[0][m] = step == 0 ? a : _mm256_add_epi16(sum[0][m], a);
                sum[1][m] = step == 0 ? b : _mm256_add_epi16(sum[1][m], b);
                // Or the compiler would add up in another order, with more products at a time than registers.
                __asm__("" : "+x"(sum[0][m]), "+x"(sum[1][m]));
            }
        }
#pragma GCC unroll 4
        for (int m = 0; m < 4; m++) {
            total[0][m] = _mm256_add_epi32(total[0][m], _mm256_madd_epi16(sum[0][m], w.scales[s][0]));
            total[1][m] = _mm256_add_epi32(total[1][m], _mm256_madd_epi16(sum[1][m], w.scales[s][1]));
        }
    }

    // A column's sums of codes over 16, four for each two subblocks, of one column after the other.
    alignas(32) int32_t of_codes[SUBBLOCKS / 2][8]; // two subblocks' of 16 bits a column: 0 and 1, then 4 and 5
    for (int p = 0; p < SUBBLOCKS / 2; p++) {
        const __m256i of16 = _mm256_loadu_si256((const __m256i *) &columns.bsums[p * 16]);
        const __m256i of32 = _mm256_madd_epi16(of16, _mm256_set1_epi16(1));
        _mm256_store_si256((__m256i *) of_codes[p], _mm256_packs_epi32(of32, of32));
    }
#pragma GCC unroll 4
    for (int m = 0; m < 4; m++) {
        __m256i least = _mm256_setzero_si256();
        for (int p = 0; p < SUBBLOCKS / 2; p++) {
            const __m256i two = _mm256_set1_epi32(of_codes[p][m / 2 * 4 + m % 2]);
            least = _mm256_add_epi32(least, _mm256_madd_epi16(w.mins[p], two));
        }
        const __m256 whole = _mm256_cvtepi32_ps(_mm256_hadd_epi32(total[0][m], total[1][m]));
        const __m256 value = _mm256_fnmadd_ps(_mm256_cvtepi32_ps(least), w.dmin, _mm256_mul_ps(whole, w.d));
        sums[m] = _mm256_fmadd_ps(value, _mm256_set1_ps(columns.d[m]), sums[m]);
    }
}

} // namespace

/* s[column * bs + row] for nr columns (a multiple of 4) of n activations and nc rows (of 8) of as many weights. */
extern "C" void ggml_gemm_q4_K_8x8_q8_K(int n, float * s, size_t bs, const void * vx, const void * vy, int nr, int nc) {
    const int blocks = n / QK_K;
    const block_q4_Kx8 * weights = (const block_q4_Kx8 *) vx;
    const block_q8_Kx4 * columns = (const block_q8_Kx4 *) vy;
    Unpacked w;
    __m256 sums[WIDE][4];
    for (int from = 0; from < nr / 4; from += WIDE) {
        const int wide = nr / 4 - from < WIDE ? nr / 4 - from : WIDE;
        for (int x = 0; x < nc / 8; x++) {
            for (int y = 0; y < wide; y++) {
                sums[y][0] = sums[y][1] = sums[y][2] = sums[y][3] = _mm256_setzero_ps();
            }
            for (int l = 0; l < blocks; l++) {
                unpack(weights[(size_t) x * blocks + l], w);
                for (int y = 0; y < wide; y++) {
                    add_block(w, columns[(size_t) (from + y) * blocks + l], sums[y]);
                }
            }
            for (int y = 0; y < wide; y++) {
                for (int m = 0; m < 4; m++) {
                    float * out = &s[(size_t) ((from + y) * 4 + m) * bs + x * 8];
                    _mm256_storeu_ps(out, _mm256_permutevar8x32_ps(sums[y][m], ORDER));
                }
            }
        }
    }
}

#endif
