//! Mappings and filters in one line, for people.

use super::{Apply, AttributeMapping, Nulls, ScopeFilter, Source};

impl AttributeMapping {
    /// Says in one line what fills an attribute of the target.
    pub fn sentence(&self) -> String {
        let more = self.conditions();
        let more = if more.is_empty() {
            more
        } else {
            format!(" ({more})")
        };
        format!("{} ← {}{more}", self.target, self.origin())
    }

    /// Says where the value comes from.
    pub fn origin(&self) -> String {
        match &self.source {
            Source::Direct(name) => name.clone(),
            Source::Constant(text) => format!("\"{text}\""),
            Source::Expression(text) => format!("= {text}"),
            Source::None => "nothing".to_owned(),
        }
    }

    /// Says what is special about it.
    pub fn conditions(&self) -> String {
        let mut told = Vec::new();
        if let Some(precedence) = self.matching {
            told.push(format!("matching {precedence}"));
        }
        if let Some(default) = &self.default {
            told.push(format!("default \"{default}\""));
        }
        match self.apply {
            Apply::Always => {}
            Apply::OnCreate => told.push("on creation only".to_owned()),
            Apply::AddOnly => told.push("only adds".to_owned()),
        }
        if self.nulls == Nulls::Clear {
            told.push("a null clears".to_owned());
        }
        told.join(", ")
    }
}

impl ScopeFilter {
    /// Writes the clauses as they are typed at the command line.
    pub fn sentence(&self) -> String {
        let clauses = self.clauses.iter().map(|clause| {
            let (attribute, operator) = (&clause.attribute, clause.operator.name());
            let values = clause.values.join(", ");
            format!("{attribute} {operator} {values}")
                .trim_end()
                .to_owned()
        });
        clauses.collect::<Vec<_>>().join(" and ")
    }
}
