hello <%= $workers %>
