# Read by CMake when it compiles llama-cpp-python (setup.sh names this file in CMAKE_TOOLCHAIN_FILE).
# The package forces llama.cpp's "common" library on, a third of all compiling, and then uses nothing of it.
# A plain variable hides the forced cache entry.
set(LLAMA_BUILD_COMMON OFF)
