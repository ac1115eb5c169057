namespace loam {}
