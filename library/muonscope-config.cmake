# find_package(muonscope) gives the target muonscope::muonscope.  Its headers include none of other libraries.
include(${CMAKE_CURRENT_LIST_DIR}/muonscope-targets.cmake)
