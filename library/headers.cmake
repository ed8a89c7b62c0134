# What a user includes.  ms_public_headers(out) gives these and every file that they include, as paths from the root.
set(ms_headers
    library/layout.h library/version.h platform/blas.h platform/status.h
    backend/backend.h backend/ir/build.h backend/ir/gradient.h backend/ir/graph.h backend/ir/passes.h
    model/model.h
    model/data/bpe_train.h model/data/corpus.h model/data/dataset.h model/data/dataset_check.h model/data/dataset_prepare.h
    model/data/shard.h model/data/tokenizer.h
    model/checkpoint/checkpoint.h model/checkpoint/named_tensors.h model/checkpoint/safetensors.h
    optim/optimizer.h optim/orthogonalise.h optim/schedule.h
    tracker/null.h tracker/phases.h tracker/power.h tracker/spectrum.h tracker/tracker.h tracker/plot/plot.h
    train/generator.h train/matrices.h train/trainer.h)

function(ms_public_headers out)
  set(found "")
  set(waiting ${ms_headers})
  while(waiting)
    list(POP_FRONT waiting header)
    if(header IN_LIST found)
      continue()
    endif()
    list(APPEND found ${header})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${header})
    file(STRINGS ${CMAKE_SOURCE_DIR}/${header} lines REGEX "^[ \t]*#[ \t]*include \"")
    foreach(line ${lines})
      string(REGEX REPLACE ".*include \"([^\"]*)\".*" "\\1" included "${line}")
      list(APPEND waiting ${included})
    endforeach()
  endwhile()
  list(SORT found)
  set(${out} ${found} PARENT_SCOPE)
endfunction()
