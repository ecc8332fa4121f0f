/* The inner product of llama.cpp's tiled matrix multiplication, for CPUs with AVX2 that lack AVX-512: many laptops.

   Compiled instead of llama.cpp's own tiled-kernel.cpp (requirements/llama-cpp.cmake), which goes on to serve all other
   CPUs. Its results are the same to the last bit.

   What is multiplied: the k-quants of a matrix of weights (unsigned codes of 2 to 8 bits, a scale for each SUBBLK of
   them) by activations in 8 bits, in tiles of 16 rows by 16 columns by 256. llama.cpp lays 32 codes of one column
   side by side in a register and has to add them up across it afterwards. Here a register holds 4 codes of each of 8
   columns, as its kernel for VNNI has them, so that no sum across is needed; and as the codes are small, up to four
   products of 8 bits fit into a sum of 16 bits before the scale is multiplied in:

     per 32 codes and 8 columns: 8 maddubs, 6 additions, 2 madd, 2 additions; llama.cpp's: 8 maddubs, 8 madd, 8
     additions, and 8 sums across for each 256.
*/
#include "tiled-kernel.h"

#include "ggml.h"

#if !defined(__AVX2__) || defined(__AVX512F__) || !defined(__GNUC__)
#include "tiled-kernel.cpp"
#else

#include <cstring>

namespace {

constexpr int ROWS = 4;                // of weights at a time: with two registers of columns each all fit
constexpr int GROUPS = TILED_TILE_K / 4; // of four codes
constexpr int BAND = TILED_MICRO * 4;  // bytes of a group: four codes of each of 16 columns
constexpr int SLAB = GROUPS * BAND;    // bytes of 16 columns

/* How the product of weights and activations keeps within 16 bits. */
template <int SUBBLK, int BIAS> struct Range {
    static constexpr bool SIGNED = BIAS == 128; // codes up to 255: the bias comes off before, the sign goes to the other
    // The most groups whose sums fit: 4 x 2 x 31 x 128 for q4_K and q5_K, 2 x 2 x 63 x 128 for q6_K.
    static constexpr int GROUPS_OF_A_SUM = SIGNED ? 1 : BIAS == 32 ? 2 : 4;
    static_assert(BIAS == 0 || BIAS == 4 || BIAS == 32 || BIAS == 128, "how large the codes are is not known");
};

inline __m256i four_codes(const uint8_t * q) {
    int32_t codes;
    memcpy(&codes, q, 4);
    return _mm256_set1_epi32(codes);
}

/* Products of 4 codes of a row by 4 of each of 8 columns, in pairs: [8 columns, 2] of 16 bits. */
template <bool SIGNED> inline __m256i products(__m256i weights, __m256i columns) {
    if constexpr (SIGNED) {
        weights = _mm256_xor_si256(weights, _mm256_set1_epi8((char) 0x80)); // less 128
        return _mm256_maddubs_epi16(_mm256_abs_epi8(weights), _mm256_sign_epi8(columns, weights));
    } else {
        return _mm256_maddubs_epi16(weights, columns);
    }
}

inline __m256i pair(int32_t low, int32_t high) { // of 16 bits, for madd
    return _mm256_set1_epi32((int32_t) (((uint32_t) high << 16) | ((uint32_t) low & 0xffff)));
}

inline __m256 plus_product(__m256 a, __m256 b, __m256 c) { // c + a * b
#if defined(__FMA__)
    return _mm256_fmadd_ps(a, b, c);
#else
    return _mm256_add_ps(c, _mm256_mul_ps(a, b));
#endif
}

inline __m256 less_product(__m256 a, __m256 b, __m256 c) { // c - a * b
#if defined(__FMA__)
    return _mm256_fnmadd_ps(a, b, c);
#else
    return _mm256_sub_ps(c, _mm256_mul_ps(a, b));
#endif
}

/* Sums of a column's codes over two subblocks, as pairs of 16 bits: [8 columns, 2]. */
template <int SUBBLK> inline __m256i sums(const int32_t * bsums, int stride, int s) {
    __m256i part[2];
    for (int u = 0; u < 2; u++) {
        const int32_t * at = &bsums[(s + u) * (SUBBLK / 16) * stride];
        part[u] = _mm256_loadu_si256((const __m256i *) at);
        if constexpr (SUBBLK == 32) {
            part[u] = _mm256_add_epi32(part[u], _mm256_loadu_si256((const __m256i *) (at + stride)));
        }
    }
    return _mm256_blend_epi16(part[0], _mm256_slli_epi32(part[1], 16), 0xaa);
}

/* Four rows of weights by 16 columns. `columns` are the codes as `tiled_repack_src1` lays them. */
template <int SUBBLK, bool HAS_MIN, int BIAS>
inline void four_rows(const tiled_tile_src0 & src0, const tiled_tile_src1 & src1, const __m256i (*bsums)[2], int row,
                      int column, int num_k, int slab, float * buf, int buf_stride) {
    using R = Range<SUBBLK, BIAS>;
    constexpr int NB = TILED_TILE_K / SUBBLK;
    constexpr bool FROM_SUMS = HAS_MIN || (BIAS != 0 && !R::SIGNED);
    const int8_t * columns = &src1.q[column * num_k * TILED_TILE_K + slab * SLAB];
    const uint8_t * codes[ROWS];
    const int32_t * scales[ROWS];
    __m256i total[ROWS][2];
    for (int t = 0; t < ROWS; t++) {
        codes[t] = &src0.q[(row + t) * num_k * TILED_TILE_K + slab * TILED_TILE_K];
        scales[t] = &src0.scales[(row + t) * NB * num_k + slab * NB];
        total[t][0] = total[t][1] = _mm256_setzero_si256();
    }

    for (int first = 0; first < GROUPS; first += R::GROUPS_OF_A_SUM) {
        __m256i sum[ROWS][2];
#pragma GCC unroll 4
        for (int g = 0; g < R::GROUPS_OF_A_SUM; g++) {
            const __m256i left = _mm256_load_si256((const __m256i *) (columns + (first + g) * BAND));
            const __m256i right = _mm256_load_si256((const __m256i *) (columns + (first + g) * BAND + 32));
#pragma GCC unroll 4
            for (int t = 0; t < ROWS; t++) {
                const __m256i weights = four_codes(codes[t] + (first + g) * 4);
                const __m256i a = products<R::SIGNED>(weights, left);
                const __m256i b = products<R::SIGNED>(weights, right);
                sum[t][0] = g == 0 ? a : _mm256_add_epi16(sum[t][0], a);
                sum[t][1] = g == 0 ? b : _mm256_add_epi16(sum[t][1], b);
                // Or the compiler would add up in another order, with more products at a time than registers.
                __asm__("" : "+x"(sum[t][0]), "+x"(sum[t][1]));
            }
        }
#pragma GCC unroll 4
        for (int t = 0; t < ROWS; t++) {
            const __m256i scale = _mm256_set1_epi16((int16_t) scales[t][first * 4 / SUBBLK]);
            total[t][0] = _mm256_add_epi32(total[t][0], _mm256_madd_epi16(sum[t][0], scale));
            total[t][1] = _mm256_add_epi32(total[t][1], _mm256_madd_epi16(sum[t][1], scale));
        }
    }

    for (int t = 0; t < ROWS; t++) {
        const int at = slab * TILED_MICRO + row + t;
        // What the minimum of each subblock, or the bias of its codes, adds for all codes of a column alike.
        const int32_t * mins = HAS_MIN ? &src0.mins[(row + t) * NB * num_k + slab * NB] : scales[t];
        __m256i more[2] = { _mm256_setzero_si256(), _mm256_setzero_si256() };
        if constexpr (FROM_SUMS) {
            for (int p = 0; p < NB / 2; p++) {
                const __m256i two = pair(mins[2 * p], mins[2 * p + 1]);
                more[0] = _mm256_add_epi32(more[0], _mm256_madd_epi16(bsums[p][0], two));
                more[1] = _mm256_add_epi32(more[1], _mm256_madd_epi16(bsums[p][1], two));
            }
        }
        float * out = &buf[(row + t) * buf_stride + column];
        for (int half = 0; half < 2; half++) {
            __m256i whole = total[t][half];
            if constexpr (FROM_SUMS && !HAS_MIN) {
                whole = _mm256_sub_epi32(whole, _mm256_mullo_epi32(more[half], _mm256_set1_epi32(BIAS)));
            }
            __m256 result = _mm256_mul_ps(_mm256_set1_ps(src0.d[at]), _mm256_cvtepi32_ps(whole));
            if constexpr (HAS_MIN) {
                result = less_product(_mm256_set1_ps(src0.dmin[at]), _mm256_cvtepi32_ps(more[half]), result);
            }
            const __m256 width = _mm256_loadu_ps(&src1.d[slab * TILED_MICRO + column + 8 * half]);
            _mm256_storeu_ps(out + 8 * half, plus_product(result, width, _mm256_loadu_ps(out + 8 * half)));
        }
    }
}

} // namespace

/* Adds to buf [16 rows, 16 columns] what the 256 codes of slab `slab` (of `num_k`) give. */
template <int SUBBLK, bool HAS_MIN, int BIAS, bool ACTBIAS>
void tiled_run_microtile(const tiled_tile_src0 & src0, const tiled_tile_src1 & src1, int i0, int j0, int num_k,
                         int slab, float * buf, int buf_stride) {
    constexpr int NB = TILED_TILE_K / SUBBLK;
    const int stride = num_k == 1 ? TILED_TILE_ROWS : TILED_MICRO;
    const int32_t * at = &src1.bsums[slab * TILED_MICRO * stride + j0];
    __m256i bsums[NB / 2][2];
    for (int p = 0; p < NB / 2; p++) {
        bsums[p][0] = sums<SUBBLK>(at, stride, 2 * p);
        bsums[p][1] = sums<SUBBLK>(at + 8, stride, 2 * p);
    }
    for (int t = 0; t < TILED_MICRO; t += ROWS) {
        four_rows<SUBBLK, HAS_MIN, BIAS>(src0, src1, bsums, i0 + t, j0, num_k, slab, buf, buf_stride);
    }
}

/* Turns 16 columns' codes, each in one line, into groups of four of each column: [num_k, 64, 16, 4] bytes.
   No bias is added whatever is asked for: the kernel takes that of the weights off. */
void tiled_repack_src1(tiled_tile_src1 * src1, int row0, int num_k, bool) {
    const int line = num_k * TILED_TILE_K;
    int8_t * band = &src1->q[row0 * line];
    alignas(32) int8_t before[TILED_TILE_ROWS * TILED_TILE_K];
    memcpy(before, band, (size_t) TILED_MICRO * line);
    for (int half = 0; half < TILED_MICRO; half += 8) {
        for (int at = 0; at < line; at += 32) { // 8 columns by 8 groups
            __m256i x[8], y[8];
            for (int c = 0; c < 8; c++) {
                x[c] = _mm256_load_si256((const __m256i *) &before[(half + c) * line + at]);
            }
            for (int c = 0; c < 8; c += 2) {
                y[c] = _mm256_unpacklo_epi32(x[c], x[c + 1]);
                y[c + 1] = _mm256_unpackhi_epi32(x[c], x[c + 1]);
            }
            for (int c = 0; c < 8; c += 4) {
                x[c] = _mm256_unpacklo_epi64(y[c], y[c + 2]);
                x[c + 1] = _mm256_unpackhi_epi64(y[c], y[c + 2]);
                x[c + 2] = _mm256_unpacklo_epi64(y[c + 1], y[c + 3]);
                x[c + 3] = _mm256_unpackhi_epi64(y[c + 1], y[c + 3]);
            }
            for (int g = 0; g < 4; g++) {
                int8_t * out = band + (at / 4 + g) * BAND + half * 4;
                _mm256_store_si256((__m256i *) out, _mm256_permute2x128_si256(x[g], x[g + 4], 0x20));
                _mm256_store_si256((__m256i *) (out + 4 * BAND), _mm256_permute2x128_si256(x[g], x[g + 4], 0x31));
            }
        }
    }
}

/* The weights stay as they are. */
template <int SUBBLK> void tiled_repack_src0(tiled_tile_src0 *, int, int, int, bool) {}

// As tiled.cpp uses them.
#define KERNEL(SUBBLK, HAS_MIN, BIAS, ACTBIAS)                                                                         \
    template void tiled_run_microtile<SUBBLK, HAS_MIN, BIAS, ACTBIAS>(const tiled_tile_src0 &, const tiled_tile_src1 &, \
                                                                      int, int, int, int, float *, int)
KERNEL(32, true, 0, false);    // q4_K, q5_K
KERNEL(16, true, 0, false);    // q2_K
KERNEL(16, false, 32, true);   // q6_K
KERNEL(16, false, 4, true);    // q3_K
KERNEL(32, false, 128, false); // iq4_xs
KERNEL(32, false, 128, true);  // iq2_xxs, iq3_xxs, iq3_s, iq1_s
KERNEL(16, false, 128, true);  // iq2_xs, iq2_s, iq1_m
template void tiled_repack_src0<16>(tiled_tile_src0 *, int, int, int, bool);
template void tiled_repack_src0<32>(tiled_tile_src0 *, int, int, int, bool);

#endif
