/* Included before every C++ file of llama.cpp (requirements/llama-cpp.cmake).

   In GCC before 13.3 the intrinsic that loads the AMX tile configuration tells the compiler that it reads 8 of the 64
   bytes. GCC then leaves the others unwritten, and the first matrix product on a CPU with AMX ends in a segmentation
   fault (llama.cpp issue 20824). This names all 64. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__AMX_TILE__) && \
    (__GNUC__ < 13 || (__GNUC__ == 13 && __GNUC_MINOR__ < 3))
#include <immintrin.h>
#define _tile_loadconfig(config) __asm__ volatile("ldtilecfg\t%X0" ::"m"(*(const char(*)[64])(config)))
#endif
