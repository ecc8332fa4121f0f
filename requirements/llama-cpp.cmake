# Read by CMake when it compiles llama-cpp-python (setup.sh names this file in CMAKE_TOOLCHAIN_FILE).
# The package forces llama.cpp's "common" library on, a third of all compiling, and then uses nothing of it.
# A plain variable hides the forced cache entry.
set(LLAMA_BUILD_COMMON OFF)
# On macOS it forces Metal on, too: what setup.sh chose stays.
if(DEFINED CACHE{GGML_METAL})
    set(GGML_METAL "$CACHE{GGML_METAL}")
endif()
# GCC before 13.3 miscompiles llama.cpp for CPUs with AMX; the header says how.
set(CMAKE_CXX_FLAGS_INIT "-include \"${CMAKE_CURRENT_LIST_DIR}/tile_config.h\"")

# Our kernels for CPUs with AVX2 take the place of llama.cpp's; their files say which and why. CMake reads this file for
# its own trials as well, which have no such target, and may read it twice. ASSISTANT_KERNELS=OFF builds without.
set(ASSISTANT_FOLDER "${CMAKE_CURRENT_LIST_DIR}")
function(assistant_kernels)
    if(NOT TARGET ggml-cpu OR (DEFINED CACHE{ASSISTANT_KERNELS} AND NOT "$CACHE{ASSISTANT_KERNELS}"))
        return()
    endif()
    get_target_property(folder ggml-cpu SOURCE_DIR)
    get_target_property(sources ggml-cpu SOURCES)
    set(repack ${sources})
    list(FILTER repack INCLUDE REGEX "ggml-cpu/arch/x86/repack\\.cpp$")
    if(NOT repack OR "${ASSISTANT_FOLDER}/tiled_avx2.cpp" IN_LIST sources)
        return() # this is no x86, or it is done
    endif()
    set(others ${sources})
    list(FILTER others EXCLUDE REGEX "ggml-cpu/tiled/tiled-kernel\\.cpp$")
    if(others STREQUAL sources)
        message(WARNING "This llama.cpp is not the one that our kernels are for: it is compiled without them.")
        return()
    endif()
    set_property(TARGET ggml-cpu PROPERTY SOURCES ${others} "${ASSISTANT_FOLDER}/tiled_avx2.cpp"
        "${ASSISTANT_FOLDER}/repack_avx2.cpp" "${ASSISTANT_FOLDER}/dot_avx2.cpp")
    target_include_directories(ggml-cpu PRIVATE "${folder}/ggml-cpu/tiled")
    set_property(SOURCE "${folder}/ggml-cpu/arch/x86/repack.cpp" TARGET_DIRECTORY ggml-cpu
        APPEND PROPERTY COMPILE_DEFINITIONS ggml_gemm_q4_K_8x8_q8_K=ggml_gemm_q4_K_8x8_q8_K_of_llama_cpp)
    foreach(name ggml_vec_dot_q4_K_q8_K ggml_vec_dot_q6_K_q8_K quantize_row_q8_K)
        set_property(SOURCE "${folder}/ggml-cpu/arch/x86/quants.c" TARGET_DIRECTORY ggml-cpu
            APPEND PROPERTY COMPILE_DEFINITIONS ${name}=${name}_of_llama_cpp)
    endforeach()
endfunction()
cmake_language(DEFER DIRECTORY "${CMAKE_SOURCE_DIR}" CALL assistant_kernels)
