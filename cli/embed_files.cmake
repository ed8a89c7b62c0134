# cmake -DOUT=rows.c -DHEADER=h -DELEMENT=type -DARRAY=name "-DCHARACTER=unsigned char" -DPART=NAME "-DFILES=a.html;b.js" -P embed_files.cmake
# writes files as C arrays, so that the program needs none at run time: ARRAY of ELEMENT {name, bytes, size}, which HEADER declares,
# with a last row of zeros.  PART: NAME or NAME_WE, what of a file's name is kept.  CHARACTER char: files of ASCII alone, since bytes beyond
# 0x7f do not fit a signed constant.
set(arrays "")
set(rows "")
foreach(file ${FILES})
  get_filename_component(name ${file} ${PART})
  string(MAKE_C_IDENTIFIER ${name} identifier)
  file(READ ${file} bytes HEX)
  string(LENGTH "${bytes}" digits)
  math(EXPR size "${digits} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND arrays "static const ${CHARACTER} bytes_${identifier}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${name}\", bytes_${identifier}, ${size}},\n")
endforeach()
file(WRITE ${OUT} "#include \"${HEADER}\"\n\n${arrays}\nconst ${ELEMENT} ${ARRAY}[] = {\n${rows}    {0, 0, 0}};\n")
