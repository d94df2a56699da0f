# Tests that run the built program or an example need to know where it is.
foreach(name ckpt cli configs continue data fit import odd_machine ranks replay resume survival text weights)
  target_compile_definitions(test.trainer.program.${name} PRIVATE
    EFLOW_PROGRAM="$<TARGET_FILE:eflow>"
    EFLOW_CONFIGS="${PROJECT_SOURCE_DIR}/configs")
  target_link_libraries(test.trainer.program.${name} PRIVATE nlohmann_json::nlohmann_json)
  add_dependencies(test.trainer.program.${name} eflow)
endforeach()

if(TARGET example.010_sample)
  add_test(NAME examples/010_sample COMMAND ${CMAKE_CURRENT_LIST_DIR}/sample_example.sh
    $<TARGET_FILE:eflow> $<TARGET_FILE:example.010_sample> ${PROJECT_SOURCE_DIR}/configs/tiny.ini)
  add_test(NAME examples/020_own_trainer COMMAND example.020_own_trainer)
  set_tests_properties(examples/010_sample examples/020_own_trainer PROPERTIES LABELS cpu TIMEOUT 300)
endif()

# Failures of ranks at random times; a longer series: rank_trials.py EFLOW CONFIG --trials 200.
add_test(NAME trainer/program/rank_trials COMMAND ${CMAKE_CURRENT_LIST_DIR}/rank_trials.py
  $<TARGET_FILE:eflow> ${PROJECT_SOURCE_DIR}/configs/tiny.ini --trials 20)
# Two hosts as network namespaces.
add_test(NAME trainer/program/two_hosts COMMAND ${CMAKE_CURRENT_LIST_DIR}/two_hosts.sh
  $<TARGET_FILE:eflow> ${PROJECT_SOURCE_DIR}/configs/tiny.ini)
set_tests_properties(trainer/program/rank_trials trainer/program/two_hosts PROPERTIES SKIP_RETURN_CODE 77 LABELS cpu TIMEOUT 1200)
