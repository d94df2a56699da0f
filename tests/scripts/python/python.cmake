# The scripts in scripts/python/, run with the interpreter that has their packages: $EFLOW_VENV/bin/python, default
# ~/.cache/eflow/venv (scripts/python/make_venv.sh). A test without its packages is skipped and says so.
foreach(name captions fastvideo wan_vae)
  add_test(NAME scripts/python/${name}
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/run.sh ${CMAKE_CURRENT_LIST_DIR}/${name}_test.py)
  set_tests_properties(scripts/python/${name} PROPERTIES SKIP_RETURN_CODE 77 LABELS cpu TIMEOUT 1200)
endforeach()

# The whole chain, from videos to decoded samples.
add_test(NAME scripts/python/chain
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/run.sh ${CMAKE_CURRENT_LIST_DIR}/chain_test.py $<TARGET_FILE:eflow> ${PROJECT_SOURCE_DIR}/configs)
set_tests_properties(scripts/python/chain PROPERTIES SKIP_RETURN_CODE 77 LABELS cpu TIMEOUT 1200)
