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
