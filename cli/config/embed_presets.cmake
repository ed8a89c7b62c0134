# cmake -DOUT=presets.c "-DPRESETS=a.yaml;b.yaml" -P embed_presets.cmake: writes the presets as C arrays, so that the program
# needs no file at run time.
set(arrays "")
set(rows "")
foreach(preset ${PRESETS})
  get_filename_component(name ${preset} NAME_WE)
  string(MAKE_C_IDENTIFIER ${name} identifier)
  file(READ ${preset} bytes HEX)
  string(LENGTH "${bytes}" digits)
  math(EXPR size "${digits} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND arrays "static const char text_${identifier}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${name}\", text_${identifier}, ${size}},\n")
endforeach()
# Bytes of UTF-8 beyond 0x7f do not fit a signed char constant: presets are ASCII.
file(WRITE ${OUT} "#include \"cli/config/config.h\"\n\n${arrays}\nconst ms_preset ms_presets[] = {\n${rows}    {0, 0, 0}};\n")
